r"""An epoch on a GPU: every step is the replay of one CUDA graph over all M members.

The data lie in device memory as 8-bit pixels. Noise is drawn on the device for a block of steps at
a time, each member's from its own generator: whole matrices of random bytes and normal numbers, two
kernels a member and block, instead of several a member and step. What a GPU's generator gives
depends on how much it is asked for at a time, so a block is as long whoever else is a member. The
graph then holds all of a step (:func:`block_step`): gather the batch, binarize it, forward,
gradient, optimiser, metrics, and count. A compiler that fuses it has all of that to fuse. Nothing
is copied to the host but the epoch's means.

    P(byte r < pixel v) = v / 255 for r uniform on 0..254, as in :mod:`vaestudy.binarization`.

Without a GPU the same steps run one by one, which is how tests compare them with the plain epoch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.binarization import as_float
from vaestudy.history import SCALARS
from vaestudy.libraries import CompileError
from vaestudy.objectives import beta_schedule
from vaestudy.pure import fixed_tensors, pure_step, state_tensors
from vaestudy.rates import learning_rate
from vaestudy.rng import MemberRNG
from vaestudy.splits import Splits
from vaestudy.train import TrainState

#: A step: what it changes, then what it only reads; its metrics.
BlockStep = Callable[..., Tensor]
#: Makes a faster function of a step from it and both kinds of its tensors.
Compiler = Callable[[BlockStep, list[Tensor], list[Tensor]], BlockStep]

#: Device memory for a member's noise of one block: 1 GiB for 16 of them.
MEMBER_BYTES = 1 << 26
_WARM_UPS = 2


class BlockedEpoch:
    """Does what :func:`vaestudy.train.train_epoch` does, from buffers that stay where they are.

    Parameters
    ----------
    state
        Its tensors are updated in place.
    data
        On the state's device.
    compiler
        None by default: the step is taken operation by operation.

    Raises
    ------
    TypeError
        If the training data are not 8-bit pixels in memory.
    """

    def __init__(
        self,
        state: TrainState,
        data: Splits,
        compiler: Compiler | None = None,
    ) -> None:
        if not isinstance(data.train, Tensor) or data.train.dtype != torch.uint8:
            raise TypeError(
                f"the training data are {type(data.train).__name__}, of no 8-bit pixels: train "
                "with train.train_epoch instead"
            )
        run, device, members = state.runs[0], state.device, len(state.runs)
        self.state, self.pixels, self.run = state, data.train, run
        self.n_latent = state.model.architecture.n_latent
        n, n_features = data.train.shape
        self.batch_size = min(run.batch_size, n)
        self.steps_an_epoch = n // self.batch_size
        self.steps = self._steps_a_block(n_features)
        images = self.steps * self.batch_size
        self.rows = torch.zeros(members, images, dtype=torch.int64, device=device)
        self.bytes = torch.zeros(members, images, n_features, dtype=torch.uint8, device=device)
        noise = (members, self.steps, run.k, self.batch_size, self.n_latent)
        dtype = state.model.output.weight.dtype
        self.eps = torch.zeros(noise, dtype=dtype, device=device)
        self.beta = torch.zeros(members, dtype=dtype, device=device)
        n_corrections = len(state.optimizer.corrections(1, 1.0))
        self.corrections = torch.zeros(self.steps, n_corrections, dtype=dtype, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.metrics = torch.zeros(len(SCALARS), members, dtype=dtype, device=device)
        self.totals = torch.zeros(len(SCALARS), members, dtype=torch.float64, device=device)
        self.changed = [self.position, self.totals, *state_tensors(state)]
        block = [self.rows, self.bytes, self.eps, self.corrections]
        self.read = [self.pixels, *block, self.beta, *fixed_tensors(state)]
        state.model.train()
        step = block_step(state, self.batch_size)
        self.step = compiler(step, self.changed, self.read) if compiler else step
        self.advance = self._capture() if device.type == "cuda" else self._advance

    def __call__(self, state: TrainState, data: Splits) -> Float[Tensor, "S M"]:
        """Pass over the training set once; return the epoch's mean of each metric."""
        epoch = state.epoch + 1
        rng = MemberRNG(tuple(run.seed for run in state.runs), state.device)
        self.beta.copy_(torch.tensor([beta_schedule(run, epoch) for run in state.runs]))
        rate = learning_rate(self.run, epoch)
        self.totals.zero_()
        orders = rng.permutations(len(self.pixels), epoch)
        streams = rng.generators("binarize", epoch), rng.generators("eps", epoch)
        state.model.train()
        log, done = state.step_log, state.epoch * self.steps_an_epoch
        for first in range(0, self.steps_an_epoch, self.steps):
            steps = min(self.steps, self.steps_an_epoch - first)
            self._fill(orders, first, steps, *streams)
            self._note_corrections(steps, rate)
            for step in range(first, first + steps):
                self.advance()
                if log is not None and log.wants(done + step):
                    log.add(done + step, self.metrics)
        return self.totals / self.steps_an_epoch

    def _steps_a_block(self, n_features: int) -> int:
        """Return how many steps' noise is drawn at a time: a matter of the run alone."""
        a_step = self.batch_size * (n_features + 8 + 4 * self.run.k * self.n_latent)
        return max(1, min(self.steps_an_epoch, MEMBER_BYTES // a_step))

    def _fill(
        self,
        orders: Tensor,
        first: int,
        steps: int,
        pixel_noise: list[torch.Generator],
        noise: list[torch.Generator],
    ) -> None:
        """Draw the noise of the next ``steps`` steps; begin again at the buffers' start."""
        images = steps * self.batch_size
        start = first * self.batch_size
        self.rows[:, :images].copy_(orders[:, start : start + images])
        for member, (bytes_from, eps_from) in enumerate(zip(pixel_noise, noise, strict=True)):
            if self.run.binarization == "dynamic":
                self.bytes[member, :images].random_(0, 255, generator=bytes_from)
            self.eps[member, :steps].normal_(generator=eps_from)
        self.position.zero_()

    def _note_corrections(self, steps: int, rate: float) -> None:
        """Count the next ``steps`` steps, and note what each corrects in the optimiser's rule.

        A fused step that computed it would do so anew for every parameter.
        """
        optimizer = self.state.optimizer
        taken = optimizer.count + torch.arange(1, steps + 1, device=optimizer.count.device)
        rates = torch.full_like(taken, rate, dtype=torch.float64)
        found = optimizer.corrections(taken.double(), rates)
        self.corrections[:steps].copy_(torch.stack(found, 1))
        optimizer.count += steps

    def _advance(self) -> None:
        """Take one step: no shape, branch or value depends on anything outside the device."""
        metrics = self.step(*self.changed, *self.read)
        if self.state.step_log is not None:
            self.metrics.copy_(metrics)

    def _warm_up(self) -> None:
        for _ in range(_WARM_UPS):
            # There may be the noise of one step only.
            self.position.zero_()
            self._advance()
        self.position.zero_()

    def _capture(self) -> Callable[[], None]:
        """Record a step as a graph; the state is as before when this returns."""
        before = [tensor.clone() for tensor in self.changed]
        # Libraries set themselves up in the first calls, which a graph must not hold.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._warm_up()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._advance()
        for tensor, value in zip(self.changed, before, strict=True):
            tensor.copy_(value)
        replay: Callable[[], None] = graph.replay
        return replay


def block_step(state: TrainState, batch_size: int) -> BlockStep:
    """Return a step whose batch and noise are the next of a block's.

    It takes position, totals and :func:`vaestudy.pure.state_tensors`, which it changes, and reads
    pixels, the block's rows, bytes, noise and corrections, beta and
    :func:`vaestudy.pure.fixed_tensors`.
    """
    binarization = state.runs[0].binarization
    step, n_changed = pure_step(state), len(state_tensors(state))

    def advance(position: Tensor, totals: Tensor, *tensors: Tensor) -> Tensor:
        changed, read = tensors[:n_changed], tensors[n_changed:]
        pixels, rows, noise_bytes, noise, corrections, beta, *fixed = read
        at = position * batch_size + torch.arange(batch_size, device=position.device)
        chosen = rows.index_select(1, at)
        shown = pixels.index_select(0, chosen.reshape(-1)).view(*chosen.shape, -1)
        if binarization == "dynamic":
            x = torch.lt(noise_bytes.index_select(1, at), shown).to(noise.dtype)
        else:
            x = as_float(shown, binarization).to(noise.dtype)
        this = position.view(1)
        eps = noise.index_select(1, this).squeeze(1)
        own = corrections.index_select(0, this).squeeze(0)
        metrics = step(*changed, own, x, eps, beta, *fixed)
        totals.add_(metrics)
        # Last, so that nothing is read after it has changed.
        position.add_(1)
        return metrics

    return advance


def inductor_step(step: BlockStep, changed: list[Tensor], read: list[Tensor]) -> BlockStep:
    """Return a step with all but its matrix products fused by PyTorch's compiler.

    Raises
    ------
    CompileError
        If the compiler fails.
    """
    from vaestudy.tracing import traced

    try:
        compiled: BlockStep = torch.compile(traced(step, [*changed, *read]), dynamic=False)
        # It compiles when it is first called: here, on tensors that nobody else has.
        compiled(*(tensor.clone() for tensor in changed), *read)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # Of any class: Triton's, the C compiler's, the cache folder's.
        cause = getattr(error, "inner_exception", error)
        raise CompileError(
            "the training step could not be compiled for the GPU; install what is missing (a C "
            "compiler such as gcc, on the PATH), or set compile: never. PyTorch said: "
            f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
        ) from error
    return compiled
