"""The real command line with the scripted trainer in place of the real one: ``python -m tests.driver run ...``."""

from qpsearch.cli import main, trainer
from tests import scripted

if __name__ == "__main__":
    trainer.train = scripted.train
    main.main()
