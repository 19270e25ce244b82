"""Videos, read back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rl_env.video import VideoError, write_video


def frames(count: int = 5, height: int = 64, width: int = 96) -> Iterator[NDArray[np.uint8]]:
    """A white square that moves to the right."""
    for number in range(count):
        frame = np.zeros((height, width, 3), dtype=np.uint8)
        frame[16:32, 16 * number : 16 * number + 16] = 255
        yield frame


def test_gif_has_every_frame(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "episode.gif"
    assert write_video(frames(), path, per_second=5.0) == 5
    with image.open(path) as video:
        assert (video.n_frames, video.size) == (5, (96, 64))
        assert video.info["duration"] == 200
        for number, frame in enumerate(frames()):
            video.seek(number)
            assert np.array_equal(np.asarray(video.convert("RGB")), frame)


def test_mp4_has_every_frame(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "episode.mp4"
    assert write_video(frames(), path, per_second=5.0) == 5
    command = [ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"96x64" in done.stderr and b"5 fps" in done.stderr
    read = np.frombuffer(done.stdout, np.uint8).reshape(-1, 64, 96, 3)
    assert len(read) == 5
    for one, other in zip(read, frames(), strict=True):  # MP4 loses a little
        assert np.abs(one.astype(int) - other).mean() < 8.0


@pytest.mark.parametrize("name", ["episode.avi", "episode"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(VideoError, match=r"expected a name that ends in .gif or .mp4"):
        write_video(frames(), tmp_path / name)


def test_a_video_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="there are no frames"):
        write_video([], tmp_path / "episode.gif")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="is no folder; create it first"):
        write_video(frames(), tmp_path / "none" / "episode.gif")


@pytest.mark.parametrize(("suffix", "library"), [("gif", "PIL"), ("mp4", "imageio_ffmpeg")])
def test_frames_of_other_sizes_are_refused(tmp_path: Path, suffix: str, library: str) -> None:
    pytest.importorskip(library)
    mixed = [next(frames()), next(frames(height=80))]
    with pytest.raises(VideoError, match=r"frame 1 is \(80, 96, 3\), the first is \(64, 96, 3\)"):
        write_video(mixed, tmp_path / f"episode.{suffix}")


@pytest.mark.parametrize(
    ("suffix", "library", "install"),
    [
        ("gif", "PIL", "GIF needs Pillow: `pip install pillow`"),
        ("mp4", "imageio_ffmpeg", "MP4 needs imageio-ffmpeg: `pip install imageio-ffmpeg`"),
    ],
)
def test_a_library_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, library: str, install: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(VideoError, match=install):
        write_video(frames(), tmp_path / f"episode.{suffix}")
