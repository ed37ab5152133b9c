"""Graph → machine code for the CPU. The only room that imports llvmlite."""
