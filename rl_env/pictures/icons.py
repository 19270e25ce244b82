"""What hosts, keys and addresses look like: strokes within a square."""

from __future__ import annotations

from rl_env.pictures.canvas import SOFT, Canvas, Colour

__all__ = ["icon", "mark_exposed", "mark_jewel", "mark_protected"]


def icon(canvas: Canvas, what: str, x: float, y: float, size: float, colour: Colour = SOFT) -> None:
    """`what`: a role, or `credential` or `address`; the square's upper left and side."""
    u, pen = size / 12, max(1.0, size / 11)
    if what == "workstation":
        canvas.rectangle(x + u, y + 2 * u, 10 * u, 7 * u, None, colour, pen, u)
        canvas.rectangle(x + 3.5 * u, y + 10 * u, 5 * u, 1.2 * u, colour)
    elif what == "server":
        for top in (1, 6.5):
            canvas.rectangle(x + 1 * u, y + top * u, 10 * u, 4.5 * u, None, colour, pen, u)
            canvas.circle(x + 8.6 * u, y + (top + 2.25) * u, 0.9 * u, colour)
    elif what == "database":
        canvas.rectangle(x + 1.5 * u, y + 1 * u, 9 * u, 10 * u, None, colour, pen, 2.6 * u)
        for top in (4.4, 7.4):
            canvas.rectangle(x + 1.5 * u, y + top * u, 9 * u, pen, colour)
    elif what == "directory":
        canvas.rectangle(x + 4 * u, y + 0.8 * u, 4 * u, 3.6 * u, colour)
        canvas.line([(x + 6 * u, y + 4 * u), (x + 6 * u, y + 9 * u)], colour, pen)
        canvas.line([(x + 2.5 * u, y + 6.2 * u), (x + 9.5 * u, y + 6.2 * u)], colour, pen)
        for left in (0.8, 7.6):
            canvas.rectangle(x + left * u, y + 6.2 * u, 3.6 * u, 4.6 * u, colour)
    elif what == "gateway":
        canvas.line([(x + u, y + 4 * u), (x + 11 * u, y + 4 * u)], colour, pen)
        canvas.line([(x + u, y + 8 * u), (x + 11 * u, y + 8 * u)], colour, pen)
        canvas.polygon([(x + 11.5 * u, y + 4 * u), (x + 8 * u, y + u), (x + 8 * u, y + 7 * u)],
                       colour)  # fmt: skip
        canvas.polygon([(x + 0.5 * u, y + 8 * u), (x + 4 * u, y + 5 * u), (x + 4 * u, y + 11 * u)],
                       colour)  # fmt: skip
    elif what == "controller":
        canvas.rectangle(x + 2.5 * u, y + 2.5 * u, 7 * u, 7 * u, None, colour, pen)
        for k in (3.6, 7.2):
            canvas.rectangle(x + k * u, y + 0.5 * u, 1.2 * u, 2 * u, colour)
            canvas.rectangle(x + k * u, y + 9.5 * u, 1.2 * u, 2 * u, colour)
            canvas.rectangle(x + 0.5 * u, y + k * u, 2 * u, 1.2 * u, colour)
            canvas.rectangle(x + 9.5 * u, y + k * u, 2 * u, 1.2 * u, colour)
    elif what == "credential":
        canvas.circle(x + 3.4 * u, y + 6 * u, 2.8 * u, None, colour, pen * 1.2)
        canvas.line([(x + 6 * u, y + 6 * u), (x + 11.5 * u, y + 6 * u)], colour, pen * 1.2)
        canvas.line([(x + 10 * u, y + 6 * u), (x + 10 * u, y + 8.6 * u)], colour, pen * 1.2)
    else:
        canvas.circle(x + 6 * u, y + 6 * u, 5 * u, None, colour, pen)
        canvas.line([(x + u, y + 6 * u), (x + 11 * u, y + 6 * u)], colour, pen)
        canvas.line([(x + 6 * u, y + u), (x + 6 * u, y + 11 * u)], colour, pen)


def mark_jewel(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    """What an intruder is after: a diamond."""
    r = size / 2
    canvas.polygon([(x + r, y), (x + size, y + r), (x + r, y + size), (x, y + r)], colour)


def mark_exposed(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    """Reachable from the internet: a triangle that points up."""
    canvas.polygon([(x + size / 2, y), (x + size, y + size), (x, y + size)], colour)


def mark_protected(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    """Never ordered against: a padlock."""
    u = size / 8
    canvas.rectangle(x + 1.8 * u, y, 4.4 * u, 6 * u, None, colour, max(0.75, 1.1 * u), 2.2 * u)
    canvas.rectangle(x + 0.6 * u, y + 3.2 * u, 6.8 * u, 4.8 * u, colour, round_=0.5)
