"""The small workloads of `models.py` in jax, as its users write them: one jitted function a step, state handed over.

`WORKLOADS[name]()` returns step(), which does one training step on jax's default device and returns the loss.
"""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp

KEYS = iter(jax.random.split(jax.random.key(0), 1000))


def trainer(params: Any, loss_of: Callable[..., Any], update: Callable[..., Any], state: Any) -> Callable[[], Any]:
    """loss_of(params, key) for the batch; update(params, gradients, state) → both anew."""
    def step(params: Any, state: Any, key: Any) -> Any:
        key, mine = jax.random.split(key)
        loss, gradients = jax.value_and_grad(loss_of)(params, mine)
        return *update(params, gradients, state), key, loss
    compiled = jax.jit(step, donate_argnums=(0, 1))
    held = [params, state, next(KEYS)]

    def run() -> Any:
        *held[:], loss = compiled(*held)
        return loss
    return run


def sgd(rate: float, momentum: float = 0.0) -> Callable[..., Any]:
    def update(params: Any, gradients: Any, state: Any) -> Any:
        state = jax.tree.map(lambda m, g: momentum * m + g, state, gradients)
        return jax.tree.map(lambda p, m: p - rate * m, params, state), state
    return update


def adam(rate: float) -> Callable[..., Any]:
    def update(params: Any, gradients: Any, state: Any) -> Any:
        first, second, count = state
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
        return jax.tree.map(lambda p, m, v: p - rate * (m / (1 - 0.9 ** count)) / (jnp.sqrt(v / (1 - 0.999 ** count)) + 1e-8),
                            params, first, second), (first, second, count)
    return update


def zeros(params: Any) -> Any:
    return jax.tree.map(jnp.zeros_like, params)


def layer(*shape: int) -> tuple[Any, Any]:
    """Weights (inputs first, outputs last; of a convolution: OIHW) and biases."""
    fan_in, outputs = (shape[0], shape[-1]) if len(shape) == 2 else (shape[1] * shape[2] * shape[3], shape[0])
    bound = fan_in ** -0.5
    return tuple(jax.random.uniform(next(KEYS), s, minval=-bound, maxval=bound) for s in (shape, (outputs,)))  # type: ignore[return-value]


def dense(x: Any, p: Any) -> Any:
    return x @ p[0] + p[1]


def conv(x: Any, p: Any, padding: str = "VALID") -> Any:
    return jax.lax.conv_general_dilated(x, p[0], (1, 1), padding) + p[1][:, None, None]


def pooled(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def dropped(x: Any, rate: float, key: Any) -> Any:
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def classifier(params: list, forward: Callable[..., Any], update: Callable[..., Any], *shape: int) -> Callable[[], Any]:
    """forward(params, x, key) → logits of ten classes."""
    x, y = jax.random.normal(next(KEYS), shape), jax.random.randint(next(KEYS), shape[:1], 0, 10)

    def loss_of(params: list, key: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(params, x, key)), y[:, None], 1).mean()
    return trainer(params, loss_of, update, zeros(params))


def pima() -> Callable[[], Any]:
    params = [layer(8, 12), layer(12, 8), layer(8, 1)]
    x, y = jax.random.normal(next(KEYS), (10, 8)), jax.random.bernoulli(next(KEYS), 0.5, (10, 1)).astype(jnp.float32)

    def loss_of(params: list, key: Any) -> Any:
        a, b, c = params
        p = jax.nn.sigmoid(dense(jax.nn.relu(dense(jax.nn.relu(dense(x, a)), b)), c))
        return -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p)).mean()
    return trainer(params, loss_of, adam(0.001), (zeros(params), zeros(params), jnp.zeros(())))


def mlp() -> Callable[[], Any]:
    def forward(params: list, x: Any, key: Any) -> Any:
        a, b, c = params
        return dense(jax.nn.relu(dense(jax.nn.relu(dense(x, a)), b)), c)
    return classifier([layer(784, 512), layer(512, 512), layer(512, 10)], forward, sgd(0.01), 64, 784)


def lenet() -> Callable[[], Any]:
    def forward(params: list, x: Any, key: Any) -> Any:
        a, b, c, d, e = params
        x = pooled(jax.nn.relu(conv(pooled(jax.nn.relu(conv(x, a))), b))).reshape(x.shape[0], -1)
        return dense(jax.nn.relu(dense(jax.nn.relu(dense(x, c)), d)), e)
    params = [layer(6, 3, 5, 5), layer(16, 6, 5, 5), layer(400, 120), layer(120, 84), layer(84, 10)]
    return classifier(params, forward, sgd(0.001, 0.9), 4, 3, 32, 32)


def cnn() -> Callable[[], Any]:
    def forward(params: list, x: Any, key: Any) -> Any:
        a, b, c, d, e, f = params
        k1, k2, k3 = jax.random.split(key, 3)
        for one, two, k in ((a, b, k1), (c, d, k2)):
            x = dropped(pooled(jax.nn.relu(conv(jax.nn.relu(conv(x, one, "SAME")), two, "SAME"))), 0.25, k)
        return dense(dropped(jax.nn.relu(dense(x.reshape(x.shape[0], -1), e)), 0.5, k3), f)
    params = [layer(32, 3, 3, 3), layer(32, 32, 3, 3), layer(64, 32, 3, 3), layer(64, 64, 3, 3), layer(4096, 512), layer(512, 10)]
    return classifier(params, forward, sgd(0.01, 0.9), 24, 3, 32, 32)


WORKLOADS: dict[str, Callable[[], Callable[[], Any]]] = {"pima": pima, "lenet-4": lenet, "mlp": mlp, "cnn": cnn}
