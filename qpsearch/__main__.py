"""``python -m qpsearch``: the command line, as ``qpsearch``."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))  # the current folder: a ./torch.py there must not stand in for torch
    from qpsearch.cli.main import main

    main()
