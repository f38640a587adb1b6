"""Running a study's trials: ``inline`` one after another without Ray, ``tune`` many at once on Ray Tune.

Both are handed a ledger and a trainer and decide nothing themselves. Ray is loaded by ``tune`` alone.
"""
