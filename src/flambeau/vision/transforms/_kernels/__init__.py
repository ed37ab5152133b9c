"""The arithmetic on image arrays (…, C, H, W), over an array namespace `xp` (see `transforms._arrays`).

`color` is per pixel, `geometry` says where each output pixel comes from, `resampling` fetches it, `filters` looks at
neighbours. No argument checks here: the functionals in front have made them.
"""
