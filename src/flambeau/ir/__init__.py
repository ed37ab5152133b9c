"""What a recorded program is: types, graphs of primitive calls, and the passes every executor shares."""
