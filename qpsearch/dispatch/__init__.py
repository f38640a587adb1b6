"""Running a study's trials: ``inline`` one after another without Ray, ``tune`` many at once on Ray Tune.

Both are given a ledger and a trainer and do not make decisions. Only ``tune`` loads Ray.
"""
