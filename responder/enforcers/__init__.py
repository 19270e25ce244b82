"""Enforcers: make one enforcement point equal the containment, and prove it.

`planner` says what would have to change (pure), an enforcer reads and applies, `reconcile` puts the
two together and states per order what was found. The decision loop calls `reconcile` on each tick.
"""
