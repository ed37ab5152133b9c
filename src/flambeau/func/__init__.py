"""`torch.func`: functions of functions. Each takes a function on tensors and gives another: its gradient, its Jacobian, its
batched version. They nest in any order."""
from .forward import hessian, jacfwd, jvp, linearize
from .modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from .plain import debug_unwrap, functionalize
from .rearrange import rearrange
from .reverse import grad, grad_and_value, jacrev, vjp
from .vmap import vmap

__all__ = ["debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
           "rearrange", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap"]
