r"""An epoch on a GPU: every step is the replay of one CUDA graph over all M members.

The data lie in device memory as 8-bit pixels. Noise is drawn on the device for a block of steps at
a time, each member's from its own generator: whole matrices of random bytes and normal numbers, two
kernels a member and block, instead of several a member and step. What a GPU's generator gives
depends on how much it is asked for at a time, so a block is as long whoever else is a member. The
graph then holds all of a step: gather the batch, binarize it, forward, gradient, optimiser,
metrics, and count. Nothing is copied to the host but the epoch's means.

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
        Makes a faster function of the pure step; none by default.

    Raises
    ------
    TypeError
        If the training data are not 8-bit pixels in memory.
    """

    def __init__(
        self,
        state: TrainState,
        data: Splits,
        compiler: Callable[[TrainState, int], Callable[..., Tensor]] | None = None,
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
        self.rate = torch.zeros((), dtype=torch.float64, device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.metrics = torch.zeros(len(SCALARS), members, dtype=dtype, device=device)
        self.totals = torch.zeros(len(SCALARS), members, dtype=torch.float64, device=device)
        self.in_batch = torch.arange(self.batch_size, device=device)
        self.step = compiler(state, self.batch_size) if compiler else pure_step(state)
        self.advance = self._capture() if device.type == "cuda" else self._advance

    def __call__(self, state: TrainState, data: Splits) -> Float[Tensor, "S M"]:
        """Pass over the training set once; return the epoch's mean of each metric."""
        epoch = state.epoch + 1
        rng = MemberRNG(tuple(run.seed for run in state.runs), state.device)
        self.beta.copy_(torch.tensor([beta_schedule(run, epoch) for run in state.runs]))
        self.rate.fill_(learning_rate(self.run, epoch))
        self.totals.zero_()
        orders = rng.permutations(len(self.pixels), epoch)
        streams = rng.generators("binarize", epoch), rng.generators("eps", epoch)
        state.model.train()
        log, done = state.step_log, state.epoch * self.steps_an_epoch
        for first in range(0, self.steps_an_epoch, self.steps):
            steps = min(self.steps, self.steps_an_epoch - first)
            self._fill(orders, first, steps, *streams)
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

    def _advance(self) -> None:
        """Take one step: no shape, branch or value depends on anything outside the device."""
        at = self.position * self.batch_size + self.in_batch
        rows = self.rows.index_select(1, at)
        pixels = self.pixels.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)
        if self.run.binarization == "dynamic":
            x = torch.lt(self.bytes.index_select(1, at), pixels).to(self.eps.dtype)
        else:
            x = as_float(pixels, self.run.binarization).to(self.eps.dtype)
        eps = self.eps.index_select(1, self.position.view(1)).squeeze(1)
        optimizer = self.state.optimizer
        optimizer.count += 1
        found = optimizer.corrections(optimizer.count.double(), self.rate)
        corrections = torch.stack(found).to(eps.dtype)
        inputs = (*state_tensors(self.state), corrections, x, eps, self.beta)
        metrics = self.step(*inputs, *fixed_tensors(self.state))
        self.totals += metrics
        if self.state.step_log is not None:
            self.metrics.copy_(metrics)
        self.position += 1

    def _warm_up(self) -> None:
        for _ in range(_WARM_UPS):
            # There may be the noise of one step only.
            self.position.zero_()
            self._advance()
        self.position.zero_()

    def _capture(self) -> Callable[[], None]:
        """Record a step as a graph; the state is as before when this returns."""
        changed = [*state_tensors(self.state), self.state.optimizer.count]
        changed += [self.position, self.totals]
        before = [tensor.clone() for tensor in changed]
        self.state.model.train()
        # Libraries set themselves up in the first calls, which a graph must not hold.
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._warm_up()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._advance()
        for tensor, value in zip(changed, before, strict=True):
            tensor.copy_(value)
        replay: Callable[[], None] = graph.replay
        return replay


def inductor_step(state: TrainState, batch_size: int) -> Callable[..., Tensor]:
    """Return the pure step with its elementwise operations fused by PyTorch's compiler.

    Raises
    ------
    CompileError
        If the compiler fails.
    """
    from vaestudy.tracing import step_example, step_graph

    try:
        compiled: Callable[..., Tensor] = torch.compile(
            step_graph(state, batch_size), dynamic=False
        )
        # It compiles when it is first called: here, on tensors that nobody else has.
        compiled(*step_example(state, batch_size))
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
