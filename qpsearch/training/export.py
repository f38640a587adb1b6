"""A trained network as files: its weights, and programs that do without qpsearch.

A file is kept only if the network that is read back from it gives the outputs of the network itself on real images, in
batches of several sizes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from qpsearch.architecture.config import Network, TrialConfig
from qpsearch.models import ResidualNetwork
from qpsearch.training.data import train_and_validation
from qpsearch.training.exported import ONNX, PROGRAM, WEIGHTS, inputs_of, read_weights

FORMS: Final = (WEIGHTS, PROGRAM, ONNX)
PACKAGES: Final = ("safetensors", "onnx", "onnxruntime", "onnxscript")
TOLERANCE: Final = (
    1e-3  # of the largest logit; other libraries add numbers in another order, and exp makes more of that
)
MOST, FEWEST, PIXELS = 64, 8, 64 * 32 * 32  # images of a check
LONGEST: Final = 300  # characters of a library's message
Forward = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How a file compares with the network of which it was made.

    Attributes:
        file: The file's name.
        difference: The largest difference of a logit from the network's own; None where there is nothing to compare.
        largest: The largest magnitude of the network's own logits.
        allowed: The largest difference with which a file is written.
        other_classes: On how many images the most likely class is another.
        images: How many images were compared.
        batches: The sizes of their batches.
        not_finite: On how many of them a logit of the network itself is not finite.
        problem: Why the file was not written; None where it was.
    """

    file: str
    difference: float | None
    largest: float
    allowed: float
    other_classes: int
    images: int
    batches: tuple[int, ...]
    not_finite: int
    problem: str | None = None


def real_inputs(config: TrialConfig, data_folder: Path | None) -> Tensor:
    """Return inputs made of the first validation images, or of training images where none are held out.

    Raises:
        DataError: The data set is missing or damaged.
    """
    train, validation = train_and_validation(config.data, data_folder, torch.device("cpu"))
    split = train if validation is None else validation
    count = min(max(PIXELS // config.network.size**2, FEWEST), MOST, len(split.labels))
    return inputs_of(split.batch(torch.arange(count)).images, config.data)


def write_forms(
    network: ResidualNetwork, config: TrialConfig, inputs: Tensor, folder: Path, names: Sequence[str] = FORMS
) -> list[Check]:
    """Write weights, ``torch.export`` program and ONNX program, and compare each with the network.

    Args:
        network: The trained network, on the CPU and in eval mode.
        config: Its configuration.
        inputs: Inputs (N, C, H, W) on which outputs are compared, in batches of 1, 2 and the rest.
        folder: An existing folder; files of the same names are overwritten.
        names: The names of the files that are wanted, of ``FORMS``.

    Returns:
        A check for each file; a file whose check has a problem is not there.

    Raises:
        OSError: The folder cannot be written.
    """
    forms = _Forms(network, config.network, inputs)
    writers = {WEIGHTS: forms.write_weights, PROGRAM: forms.write_program, ONNX: forms.write_onnx}
    return [forms.check(folder / name, writers[name]) for name in names]


class _Forms:
    """The forms of one network, and its own outputs, with which they are compared."""

    def __init__(self, network: ResidualNetwork, config: Network, inputs: Tensor) -> None:
        self._network, self._config, self._inputs = network, config, inputs
        count = len(inputs)
        self._batches = tuple(size for size in (1, min(2, count - 1), count - 3) if size > 0)
        self._outputs = self._run(network)
        finite = self._outputs.isfinite()
        self._not_finite = int((~finite.all(1)).sum())
        self._largest = float(self._outputs[finite].abs().max()) if finite.any() else 0.0
        self._allowed = TOLERANCE * self._largest
        self._exported: torch.export.ExportedProgram | _NotConverted | None = None

    def check(self, path: Path, write: Callable[[Path], Forward]) -> Check:
        """Write a file, and compare what it computes; remove it where that is something else."""
        difference, other, problem = None, 0, None
        try:
            outputs = self._run(write(path))
        except OSError:
            raise
        except Exception as error:  # of any library, about any network
            problem = _reason(error)
        else:
            difference, other = self._compare(outputs)
            if not difference <= self._allowed:
                problem = (
                    f"its logits differ from the network's by up to {difference:.2g}, more than {self._allowed:.2g}"
                )
        if problem is not None:
            path.unlink(missing_ok=True)
        return Check(
            file=path.name,
            difference=difference,
            largest=self._largest,
            allowed=self._allowed,
            other_classes=other,
            images=len(self._inputs),
            batches=self._batches,
            not_finite=self._not_finite,
            problem=problem,
        )

    def write_weights(self, path: Path) -> Forward:
        """Write the weights; return the network that is made of them and the configuration."""
        from safetensors.torch import save_model

        save_model(self._network, str(path))
        content = path.read_bytes()
        path.unlink()  # its permissions are those of a temporary file: no other user could read it
        path.write_bytes(content)
        return read_weights(path, self._config)

    def write_program(self, path: Path) -> Forward:
        """Write the program of ``torch.export``; return what is read from the file."""
        torch.export.save(self._program(), path)
        run: Forward = torch.export.load(path).module()
        return run

    def write_onnx(self, path: Path) -> Forward:
        """Write the ONNX program; return what onnxruntime makes of the file."""
        import onnxruntime

        program = self._program()
        with self._blocks_named("ONNX", _to_onnx):
            _to_onnx(program, self._inputs).save(path, external_data=False)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors alone
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])

    def _program(self) -> torch.export.ExportedProgram:
        """Return the network as a program, which is made once; raises the same error each time if it cannot be."""
        if self._exported is None:
            try:
                with self._blocks_named("torch.export", lambda program, images: program):
                    self._exported = _traced(self._network, self._inputs)
            except _NotConverted as error:
                self._exported = error
        if isinstance(self._exported, _NotConverted):
            raise self._exported
        return self._exported

    def _run(self, run: Forward) -> Tensor:
        with torch.no_grad():
            return torch.cat([run(batch) for batch in self._inputs.split_with_sizes(self._batches)])

    def _compare(self, outputs: Tensor) -> tuple[float, int]:
        """Return the largest difference, NaN where only one of the two is a number, and how many classes differ."""
        same = (outputs == self._outputs) | (outputs.isnan() & self._outputs.isnan())
        difference = torch.where(same, 0.0, (outputs - self._outputs).abs())
        return float(difference.max()), int((outputs.argmax(1) != self._outputs.argmax(1)).sum())

    @contextmanager
    def _blocks_named(
        self, form: str, convert: Callable[[torch.export.ExportedProgram, Tensor], Any]
    ) -> Iterator[None]:
        """Name the blocks that cannot be converted, in place of the error about the whole network."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # of any library, about any network
            failing: dict[str, str] = {}
            features = self._network.stem(self._inputs)
            for stage, blocks in zip(self._config.stages, self._network.stages, strict=True):
                for block in blocks if isinstance(blocks, nn.Sequential) else ():
                    if stage.block not in failing:
                        try:
                            convert(_traced(block, features), features)
                        except Exception as own:
                            failing[stage.block] = _reason(own)
                    features = block(features)
            said = "; ".join(f"block '{name}': {why}" for name, why in failing.items()) or _reason(error)
            raise _NotConverted(f"{form} cannot express {said}") from error


class _NotConverted(Exception):
    """A message that is a whole reason."""


def _traced(module: nn.Module, inputs: Tensor) -> torch.export.ExportedProgram:
    """Return a module as a program for batches of any size, which holds no image and no path of this machine."""
    example = inputs.new_zeros(2, *inputs.shape[1:])  # of one image, the size of a batch would be taken for fixed
    program = torch.export.export(module, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return program


def _to_onnx(program: torch.export.ExportedProgram, inputs: Tensor) -> Any:
    return torch.onnx.export(
        program,
        (inputs.new_zeros(2, *inputs.shape[1:]),),
        dynamo=True,
        verbose=False,
        input_names=["images"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
    )


def _reason(error: BaseException) -> str:
    """Return the first line of an error's innermost cause."""
    if isinstance(error, _NotConverted):
        return str(error)
    while error.__cause__ is not None:
        error = error.__cause__
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    said = f"{type(error).__name__}: {line}" if line else type(error).__name__
    return said.rstrip(".") if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
