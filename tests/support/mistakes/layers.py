"""Layers, used wrongly: (name, PyTorch's exception, words of its message, program)."""

CASES = [
    ("Linear-0", "RuntimeError", "mat2 shapes cannot be multiplied (2x4",
     "m = nn.Linear(3, 4)\n"
     "m(torch.rand(2, 4))"),
    ("Linear-1", "RuntimeError", "mat2 must have the same dtype,",
     "m = nn.Linear(3, 4)\n"
     "m(torch.rand(2, 3).double())"),
    ("Linear-2", "RuntimeError", "mat2 must have the same dtype,",
     "m = nn.Linear(3, 4)\n"
     "m(torch.arange(6).reshape(2,3))"),
    ("Linear-3", "RuntimeError", "and",
     "m = nn.Linear(3, 4)\n"
     "m(torch.tensor(1.))"),
    ("Linear-4", "TypeError", "linear(): argument 'input' (position 1) must",
     "m = nn.Linear(3, 4)\n"
     "m([1,2,3])"),
    ("Linear-5", "TypeError", "linear(): argument 'input' (position 1) must",
     "m = nn.Linear(3, 4)\n"
     "m(None)"),
    ("Bilinear-0", "RuntimeError", "bilinear(): input1 size does not match",
     "m = nn.Bilinear(2, 3, 4)\n"
     "m(torch.rand(2, 3), torch.rand(2, 3))"),
    ("Bilinear-1", "RuntimeError", "bilinear(): input batch dimensions do not",
     "m = nn.Bilinear(2, 3, 4)\n"
     "m(torch.rand(2, 2), torch.rand(3, 3))"),
    ("Conv1d-0", "RuntimeError", "channels, but got 4 channels instead",
     "m = nn.Conv1d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8))"),
    ("Conv1d-1", "RuntimeError", "Expected 2D (unbatched) or 3D (batched)",
     "m = nn.Conv1d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 8, 8))"),
    ("Conv1d-2", "RuntimeError", "Calculated padded input size per channel:",
     "m = nn.Conv1d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 2))"),
    ("Conv1d-3", "RuntimeError", "Expected 2D (unbatched) or 3D (batched)",
     "m = nn.Conv1d(3, 4, 3)\n"
     "m(torch.rand(3))"),
    ("Conv1d-4", "RuntimeError", "should be the same",
     "m = nn.Conv1d(3, 4, 3)\n"
     "m(torch.rand(2,3,8).double())"),
    ("Conv2d-0", "RuntimeError", "channels, but got 4 channels instead",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8, 8))"),
    ("Conv2d-1", "RuntimeError", "Expected 3D (unbatched) or 4D (batched)",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.rand(2, 8))"),
    ("Conv2d-2", "RuntimeError", "Calculated padded input size per channel:",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 2, 8))"),
    ("Conv2d-3", "RuntimeError", "Expected 3D (unbatched) or 4D (batched)",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.rand(1, 2, 3, 8, 8))"),
    ("Conv2d-4", "RuntimeError", "should be the same",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.ones(2,3,8,8).long())"),
    ("Conv2d-5", "RuntimeError", "channels, but got 8 channels instead",
     "m = nn.Conv2d(3, 4, 3)\n"
     "m(torch.rand(8, 8, 3))"),
    ("Conv3d-0", "RuntimeError", "channels, but got 4 channels instead",
     "m = nn.Conv3d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8, 8, 8))"),
    ("Conv3d-1", "RuntimeError", "Calculated padded input size per channel:",
     "m = nn.Conv3d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 2, 8, 8))"),
    ("Conv3d-2", "RuntimeError", "Expected 4D (unbatched) or 5D (batched)",
     "m = nn.Conv3d(3, 4, 3)\n"
     "m(torch.rand(3, 8, 8))"),
    ("ConvTranspose1d-0", "RuntimeError", "Given transposed=1, weight of size [3,",
     "m = nn.ConvTranspose1d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8))"),
    ("ConvTranspose1d-1", "RuntimeError", "(batched) input to conv_transpose1d, but got",
     "m = nn.ConvTranspose1d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 8, 8))"),
    ("ConvTranspose2d-0", "RuntimeError", "Given transposed=1, weight of size [3,",
     "m = nn.ConvTranspose2d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8, 8))"),
    ("ConvTranspose2d-1", "RuntimeError", "(batched) input to conv_transpose2d, but got",
     "m = nn.ConvTranspose2d(3, 4, 3)\n"
     "m(torch.rand(2, 8))"),
    ("ConvTranspose2d-2", "ValueError", "(for an input of torch.Size([8, 8]))",
     "m = nn.ConvTranspose2d(3, 4, 3)\n"
     "m(torch.rand(2, 3, 8, 8), output_size=(30, 30))"),
    ("ConvTranspose3d-0", "RuntimeError", "Given transposed=1, weight of size [3,",
     "m = nn.ConvTranspose3d(3, 4, 3)\n"
     "m(torch.rand(2, 4, 8, 8, 8))"),
    ("conv-groups", "ValueError", "in_channels must be divisible by groups", "nn.Conv2d(3, 4, 3, groups=2)"),
    ("conv-groups-out", "ValueError", "out_channels must be divisible by groups", "nn.Conv2d(4, 3, 3, groups=2)"),
    ("conv-groups0", "ValueError", "groups must be a positive integer", "nn.Conv2d(4, 3, 3, groups=0)"),
    ("conv-padmode", "ValueError", "but got padding_mode='mirror'", "nn.Conv2d(3, 4, 3, padding_mode='mirror')"),
    ("conv-pad-same-stride", "ValueError", "padding='same' is not supported for strided",
     "nn.Conv2d(3, 4, 3, padding='same', stride=2)"),
    ("conv-pad-name", "ValueError", "Invalid padding string 'full', should be",
     "nn.Conv2d(3, 4, 3, padding='full')"),
    ("conv-neg-pad", "RuntimeError", "negative padding is not supported",
     "nn.Conv2d(3, 4, 3, padding=-1)(torch.rand(1,3,8,8))"),
    ("conv-stride0", "RuntimeError", "non-positive stride is not supported",
     "nn.Conv2d(3, 4, 3, stride=0)(torch.rand(1,3,8,8))"),
    ("conv-dilation0", "RuntimeError", "dilation should be greater than",
     "nn.Conv2d(3, 4, 3, dilation=0)(torch.rand(1,3,8,8))"),
    ("convT-outpad", "RuntimeError", "smaller than either stride or dilation,",
     "nn.ConvTranspose2d(3, 4, 3, output_padding=1)(torch.rand(1,3,8,8))"),
    ("F-conv2d-bias", "RuntimeError", "expected bias to be 1-dimensional with",
     "F.conv2d(torch.rand(1,3,8,8), torch.rand(4,3,3,3), torch.rand(5))"),
    ("F-conv2d-groups", "RuntimeError", "channels, but got 4 channels instead",
     "F.conv2d(torch.rand(1,4,8,8), torch.rand(4,3,3,3), groups=2)"),
    ("F-conv2d-wdtype", "RuntimeError", "Double", "F.conv2d(torch.rand(1,3,8,8), torch.rand(4,3,3,3).double())"),
    ("F-conv2d-stride", "RuntimeError", "the convolution dimensions, but got stride=[1,",
     "F.conv2d(torch.rand(1,3,8,8), torch.rand(4,3,3,3), stride=(1,2,3))"),
    ("Fold", "RuntimeError", "kernel_size, but got input.size(1)=7 and kernel_size=(2,",
     "nn.Fold((4,5), 2)(torch.rand(1, 7, 12))"),
    ("Fold-L", "RuntimeError", "Given output_size=(4, 5), kernel_size=(2, 2), dilation=(1,",
     "nn.Fold((4,5), 2)(torch.rand(1, 8, 11))"),
    ("Unfold", "RuntimeError", "2), kernel_size=(3, 3), dilation=(1, 1), padding=(0,",
     "nn.Unfold(3)(torch.rand(1, 3, 2, 2))"),
    ("MaxPool1d-0", "RuntimeError", "max_pool1d: Expected 2D or 3D (batch",
     "m = nn.MaxPool1d(2)\n"
     "m(torch.rand(4))"),
    ("MaxPool1d-1", "RuntimeError", "max_pool1d: Expected 2D or 3D (batch",
     "m = nn.MaxPool1d(2)\n"
     "m(torch.rand(1,2,3,4))"),
    ("MaxPool1d-2", "RuntimeError", "max_pool1d() Invalid computed output size: 0",
     "m = nn.MaxPool1d(2)\n"
     "m(torch.rand(1,2,1))"),
    ("MaxPool2d-0", "RuntimeError", "(batch mode) tensor expected for input",
     "m = nn.MaxPool2d(2)\n"
     "m(torch.rand(4))"),
    ("MaxPool2d-1", "RuntimeError", "(3x1x8). Calculated output size:",
     "m = nn.MaxPool2d(2)\n"
     "m(torch.rand(1, 3, 1, 8))"),
    ("MaxPool2d-2", "RuntimeError", "(batch mode) tensor expected for input",
     "m = nn.MaxPool2d(2)\n"
     "m(torch.rand(1,2,3,4,5))"),
    ("MaxPool3d-0", "RuntimeError", "(batch mode) tensor expected for input",
     "m = nn.MaxPool3d(2)\n"
     "m(torch.rand(4, 4))"),
    ("MaxPool3d-1", "RuntimeError", "(3x1x8x8). Calculated output size:",
     "m = nn.MaxPool3d(2)\n"
     "m(torch.rand(1, 3, 1, 8, 8))"),
    ("MaxPool2d-pad", "RuntimeError", "but got pad=2, kernel_size=2 and dilation=1",
     "nn.MaxPool2d(2, padding=2)(torch.rand(1,3,8,8))"),
    ("MaxPool2d-k0", "RuntimeError", "stride should not be zero", "nn.MaxPool2d(0)(torch.rand(1,3,8,8))"),
    ("MaxPool2d-s0", "RuntimeError", "stride should not be zero", "nn.MaxPool2d(2, 0)(torch.rand(1,3,8,8))"),
    ("AvgPool1d-0", "RuntimeError", "'self' (while checking arguments for avg_pool1d)",
     "m = nn.AvgPool1d(2)\n"
     "m(torch.rand(4))"),
    ("AvgPool1d-1", "RuntimeError", "Output size is too small",
     "m = nn.AvgPool1d(2)\n"
     "m(torch.rand(1,2,1))"),
    ("AvgPool2d-0", "IndexError", "Dimension out of range (expected to",
     "m = nn.AvgPool2d(2)\n"
     "m(torch.rand(4))"),
    ("AvgPool2d-1", "RuntimeError", "(3x1x8). Calculated output size:",
     "m = nn.AvgPool2d(2)\n"
     "m(torch.rand(1, 3, 1, 8))"),
    ("AvgPool2d-2", "NotImplementedError", "\"avg_pool2d\" not implemented for 'Int'",
     "m = nn.AvgPool2d(2)\n"
     "m(torch.ones(1,3,8,8,dtype=torch.int32))"),
    ("AvgPool3d-0", "RuntimeError", "(batch mode) tensor expected for input",
     "m = nn.AvgPool3d(2)\n"
     "m(torch.rand(4, 4))"),
    ("AvgPool2d-divisor", "RuntimeError", "divisor must be not zero",
     "nn.AvgPool2d(2, divisor_override=0)(torch.rand(1,3,8,8))"),
    ("AvgPool2d-pad", "RuntimeError", "but got pad=2, kernel_size=2 and dilation=1",
     "nn.AvgPool2d(2, padding=2)(torch.rand(1,3,8,8))"),
    ("AdaptiveAvgPool1d-0", "RuntimeError", "'self' (while checking arguments for adaptive_avg_pool1d)",
     "m = nn.AdaptiveAvgPool1d(2)\n"
     "m(torch.rand(4))"),
    ("AdaptiveAvgPool1d-1", "RuntimeError", "'self' (while checking arguments for adaptive_avg_pool1d)",
     "m = nn.AdaptiveAvgPool1d(2)\n"
     "m(torch.rand(1,2,3,4))"),
    ("AdaptiveAvgPool2d-0", "RuntimeError", "adaptive_avg_pool2d(): Expected 3D or 4D tensor,",
     "m = nn.AdaptiveAvgPool2d(2)\n"
     "m(torch.rand(4))"),
    ("AdaptiveAvgPool2d-1", "RuntimeError", "adaptive_avg_pool2d(): Expected 3D or 4D tensor,",
     "m = nn.AdaptiveAvgPool2d(2)\n"
     "m(torch.rand(4,4))"),
    ("AdaptiveMaxPool2d-0", "RuntimeError", "adaptive_max_pool2d(): Expected 3D or 4D tensor,",
     "m = nn.AdaptiveMaxPool2d(2)\n"
     "m(torch.rand(4))"),
    ("AdaptiveMaxPool2d-1", "RuntimeError", "adaptive_max_pool2d(): Expected input to have non-zero",
     "m = nn.AdaptiveMaxPool2d(2)\n"
     "m(torch.rand(1, 3, 0, 8))"),
    ("AdaptiveAvgPool3d-0", "RuntimeError", "adaptive_avg_pool3d(): Expected 4D or 5D tensor,",
     "m = nn.AdaptiveAvgPool3d(2)\n"
     "m(torch.rand(4, 4))"),
    ("LPPool2d-0", "IndexError", "Dimension out of range (expected to",
     "m = nn.LPPool2d(2, 3)\n"
     "m(torch.rand(4))"),
    ("LPPool2d-1", "RuntimeError", "(1x2x2). Calculated output size:",
     "m = nn.LPPool2d(2, 3)\n"
     "m(torch.rand(1,1,2,2))"),
    ("FractionalMaxPool2d-none", "ValueError", "FractionalMaxPool2d requires specifying either an output",
     "nn.FractionalMaxPool2d(2)"),
    ("FractionalMaxPool2d-both", "ValueError", "output_size and output_ratio may be specified",
     "nn.FractionalMaxPool2d(2, 3, 0.5)"),
    ("FractionalMaxPool2d-ratio", "ValueError", "output_ratio must be between 0 and",
     "nn.FractionalMaxPool2d(2, None, 1.5)"),
    ("FractionalMaxPool2d-shape", "IndexError", "Dimension out of range (expected to",
     "nn.FractionalMaxPool2d(2, 3)(torch.rand(4))"),
    ("MaxUnpool2d", "RuntimeError", "but got indices tensor with shape:",
     "nn.MaxUnpool2d(2)(torch.rand(1,1,2,2), torch.zeros(1,1,3,3).long())"),
    ("MaxUnpool2d-range", "RuntimeError", "invalid max index: 99 (output volumes",
     "nn.MaxUnpool2d(2)(torch.rand(1,1,2,2), torch.full((1,1,2,2), 99))"),
    ("MaxUnpool2d-dtype", "RuntimeError", "elements in indices should be type",
     "nn.MaxUnpool2d(2)(torch.rand(1,1,2,2), torch.zeros(1,1,2,2))"),
    ("MaxUnpool2d-size", "ValueError", "invalid output_size \"(9, 9)\" (dim 0",
     "nn.MaxUnpool2d(2)(torch.rand(1,1,2,2), torch.zeros(1,1,2,2).long(), output_size=(9,9))"),
    ("BatchNorm1d-0", "RuntimeError", "running_mean should contain 4 elements not",
     "m = nn.BatchNorm1d(3)\n"
     "m(torch.rand(2, 4))"),
    ("BatchNorm1d-1", "ValueError", "expected 2D or 3D input (got",
     "m = nn.BatchNorm1d(3)\n"
     "m(torch.rand(2, 3, 4, 4))"),
    ("BatchNorm1d-2", "ValueError", "when training, got input size torch.Size([1,",
     "m = nn.BatchNorm1d(3)\n"
     "m(torch.rand(1, 3))"),
    ("BatchNorm1d-3", "RuntimeError", "mixed dtype (CPU): all inputs must",
     "m = nn.BatchNorm1d(3)\n"
     "m(torch.rand(2,3).double())"),
    ("BatchNorm1d-4", "NotImplementedError", "\"batch_norm\" not implemented for 'Long'",
     "m = nn.BatchNorm1d(3)\n"
     "m(torch.ones(2,3,dtype=torch.int64))"),
    ("BatchNorm2d-0", "RuntimeError", "running_mean should contain 4 elements not",
     "m = nn.BatchNorm2d(3)\n"
     "m(torch.rand(2, 4, 5, 5))"),
    ("BatchNorm2d-1", "ValueError", "expected 4D input (got 2D input)",
     "m = nn.BatchNorm2d(3)\n"
     "m(torch.rand(2, 3))"),
    ("BatchNorm2d-2", "ValueError", "when training, got input size torch.Size([1,",
     "m = nn.BatchNorm2d(3)\n"
     "m(torch.rand(1,3,1,1))"),
    ("BatchNorm3d-0", "RuntimeError", "running_mean should contain 4 elements not",
     "m = nn.BatchNorm3d(3)\n"
     "m(torch.rand(2, 4, 5, 5, 5))"),
    ("BatchNorm3d-1", "ValueError", "expected 5D input (got 4D input)",
     "m = nn.BatchNorm3d(3)\n"
     "m(torch.rand(2, 3, 4, 4))"),
    ("InstanceNorm1d-0", "ValueError", "dim=1 to match num_features (3), but",
     "m = nn.InstanceNorm1d(3, affine=True)\n"
     "m(torch.rand(2, 4, 5))"),
    ("InstanceNorm1d-1", "ValueError", "when training, got input size torch.Size([2,",
     "m = nn.InstanceNorm1d(3, affine=True)\n"
     "m(torch.rand(2, 3, 1))"),
    ("InstanceNorm1d-2", "ValueError", "expected 2D or 3D input (got",
     "m = nn.InstanceNorm1d(3, affine=True)\n"
     "m(torch.rand(3))"),
    ("InstanceNorm2d-1", "ValueError", "when training, got input size torch.Size([2,",
     "m = nn.InstanceNorm2d(3)\n"
     "m(torch.rand(2, 3, 1, 1))"),
    ("InstanceNorm2d-2", "ValueError", "expected 3D or 4D input (got",
     "m = nn.InstanceNorm2d(3)\n"
     "m(torch.rand(3))"),
    ("InstanceNorm2dT-0", "RuntimeError", "running_mean should contain",
     "m = nn.InstanceNorm2d(3, track_running_stats=True)\n"
     "m(torch.rand(2, 4, 5, 5))"),
    ("LayerNorm-0", "RuntimeError", "Given normalized_shape=[4], expected input with shape",
     "m = nn.LayerNorm(4)\n"
     "m(torch.rand(2, 3))"),
    ("LayerNorm-1", "RuntimeError", "mixed dtype (CPU): all inputs must",
     "m = nn.LayerNorm(4)\n"
     "m(torch.rand(4).double())"),
    ("LayerNorm-2", "RuntimeError", "mixed dtype (CPU): all inputs must",
     "m = nn.LayerNorm(4)\n"
     "m(torch.ones(2, 4).long())"),
    ("LayerNorm2-0", "RuntimeError", "Given normalized_shape=[3, 4], expected input with",
     "m = nn.LayerNorm((3, 4))\n"
     "m(torch.rand(2, 4))"),
    ("LayerNorm2-1", "RuntimeError", "Given normalized_shape=[3, 4], expected input with",
     "m = nn.LayerNorm((3, 4))\n"
     "m(torch.rand(4))"),
    ("GroupNorm-0", "RuntimeError", "divisible by num_groups, but got input",
     "m = nn.GroupNorm(2, 4)\n"
     "m(torch.rand(2, 3, 5))"),
    ("GroupNorm-1", "RuntimeError", "dimensions for input tensor but received",
     "m = nn.GroupNorm(2, 4)\n"
     "m(torch.rand(4))"),
    ("GroupNorm-2", "RuntimeError", "channels in input, but got weight",
     "m = nn.GroupNorm(2, 4)\n"
     "m(torch.rand(2, 6, 5))"),
    ("GroupNorm-make", "ValueError", "num_channels (4) must be divisible by", "nn.GroupNorm(3, 4)"),
    ("RMSNorm-0", "RuntimeError", "Given normalized_shape=[4], expected input with shape",
     "m = nn.RMSNorm(4)\n"
     "m(torch.rand(2, 3))"),
    ("LocalResponseNorm-0", "ValueError", "higher dimensionality input (got 2 dimensions)",
     "m = nn.LocalResponseNorm(2)\n"
     "m(torch.rand(2, 3))"),
    ("RNN-0", "RuntimeError", "input.size(-1) must be equal to input_size.",
     "m = nn.RNN(3, 4)\n"
     "m(torch.rand(5, 2, 4))"),
    ("RNN-1", "ValueError", "RNN: Expected input to be 2D",
     "m = nn.RNN(3, 4)\n"
     "m(torch.rand(5))"),
    ("RNN-2", "ValueError", "input: input.to(torch.float32), or convert model:",
     "m = nn.RNN(3, 4)\n"
     "m(torch.rand(5, 2, 3).double())"),
    ("RNN-3", "ValueError", "RNN: Expected input to be 2D",
     "m = nn.RNN(3, 4)\n"
     "m(torch.rand(2,5,2,3))"),
    ("RNN-4", "RuntimeError", "unbatched 2-D input, hx should also",
     "m = nn.RNN(3, 4)\n"
     "m(torch.rand(5, 3), torch.rand(1, 2, 4))"),
    ("RNNCell-0", "RuntimeError", "has inconsistent input_size: got 4 expected",
     "m = nn.RNNCell(3, 4)\n"
     "m(torch.rand(2, 4))"),
    ("RNNCell-1", "ValueError", "RNNCell: Expected input to be 1D",
     "m = nn.RNNCell(3, 4)\n"
     "m(torch.rand(2, 2, 3))"),
    ("RNNCell-2", "RuntimeError", "batch size 2 doesn't match hidden0",
     "m = nn.RNNCell(3, 4)\n"
     "m(torch.rand(2, 3), torch.rand(3, 4))"),
    ("RNNCell-3", "RuntimeError", "mat2 must have the same dtype,",
     "m = nn.RNNCell(3, 4)\n"
     "m(torch.rand(2,3).double())"),
    ("LSTM-0", "RuntimeError", "input.size(-1) must be equal to input_size.",
     "m = nn.LSTM(3, 4)\n"
     "m(torch.rand(5, 2, 4))"),
    ("LSTM-1", "ValueError", "LSTM: Expected input to be 2D",
     "m = nn.LSTM(3, 4)\n"
     "m(torch.rand(5))"),
    ("LSTM-2", "ValueError", "input: input.to(torch.float32), or convert model:",
     "m = nn.LSTM(3, 4)\n"
     "m(torch.rand(5, 2, 3).double())"),
    ("LSTM-3", "ValueError", "LSTM: Expected input to be 2D",
     "m = nn.LSTM(3, 4)\n"
     "m(torch.rand(2,5,2,3))"),
    ("LSTM-4", "RuntimeError", "For unbatched 2-D input, hx and",
     "m = nn.LSTM(3, 4)\n"
     "m(torch.rand(5, 3), (torch.rand(1, 2, 4),)*2)"),
    ("LSTMCell-0", "RuntimeError", "has inconsistent input_size: got 4 expected",
     "m = nn.LSTMCell(3, 4)\n"
     "m(torch.rand(2, 4))"),
    ("LSTMCell-1", "ValueError", "LSTMCell: Expected input to be 1D",
     "m = nn.LSTMCell(3, 4)\n"
     "m(torch.rand(2, 2, 3))"),
    ("LSTMCell-2", "RuntimeError", "batch size 2 doesn't match hidden0",
     "m = nn.LSTMCell(3, 4)\n"
     "m(torch.rand(2, 3), (torch.rand(3, 4),)*2)"),
    ("LSTMCell-3", "RuntimeError", "mat2 must have the same dtype,",
     "m = nn.LSTMCell(3, 4)\n"
     "m(torch.rand(2,3).double())"),
    ("GRU-0", "RuntimeError", "input.size(-1) must be equal to input_size.",
     "m = nn.GRU(3, 4)\n"
     "m(torch.rand(5, 2, 4))"),
    ("GRU-1", "ValueError", "GRU: Expected input to be 2D",
     "m = nn.GRU(3, 4)\n"
     "m(torch.rand(5))"),
    ("GRU-2", "ValueError", "input: input.to(torch.float32), or convert model:",
     "m = nn.GRU(3, 4)\n"
     "m(torch.rand(5, 2, 3).double())"),
    ("GRU-3", "ValueError", "GRU: Expected input to be 2D",
     "m = nn.GRU(3, 4)\n"
     "m(torch.rand(2,5,2,3))"),
    ("GRU-4", "RuntimeError", "unbatched 2-D input, hx should also",
     "m = nn.GRU(3, 4)\n"
     "m(torch.rand(5, 3), torch.rand(1, 2, 4))"),
    ("GRUCell-0", "RuntimeError", "has inconsistent input_size: got 4 expected",
     "m = nn.GRUCell(3, 4)\n"
     "m(torch.rand(2, 4))"),
    ("GRUCell-1", "ValueError", "GRUCell: Expected input to be 1D",
     "m = nn.GRUCell(3, 4)\n"
     "m(torch.rand(2, 2, 3))"),
    ("GRUCell-2", "RuntimeError", "batch size 2 doesn't match hidden0",
     "m = nn.GRUCell(3, 4)\n"
     "m(torch.rand(2, 3), torch.rand(3, 4))"),
    ("GRUCell-3", "RuntimeError", "mat2 must have the same dtype,",
     "m = nn.GRUCell(3, 4)\n"
     "m(torch.rand(2,3).double())"),
    ("RNN-h", "RuntimeError", "Expected hidden size (1, 2, 4),",
     "nn.RNN(3, 4)(torch.rand(5, 2, 3), torch.rand(1, 2, 5))"),
    ("GRU-h", "RuntimeError", "Expected hidden size (1, 2, 4),",
     "nn.GRU(3, 4)(torch.rand(5, 2, 3), torch.rand(2, 2, 4))"),
    ("LSTM-h", "RuntimeError", "Expected hidden[0] size (1, 2, 4),",
     "nn.LSTM(3, 4)(torch.rand(5, 2, 3), (torch.rand(1, 2, 5), torch.rand(1, 2, 4)))"),
    ("LSTM-c", "RuntimeError", "Expected hidden[1] size (1, 2, 4),",
     "nn.LSTM(3, 4)(torch.rand(5, 2, 3), (torch.rand(1, 2, 4), torch.rand(1, 2, 5)))"),
    ("LSTM-state", "IndexError", "bounds for dimension 0 with size",
     "nn.LSTM(3, 4)(torch.rand(5, 2, 3), torch.rand(1, 2, 4))"),
    ("LSTM-dropout", "ValueError", "representing the probability of an element", "nn.LSTM(3, 4, dropout=1.5)"),
    ("LSTM-dropoutstr", "ValueError", "could not convert string to float:", "nn.LSTM(3, 4, dropout='a')"),
    ("LSTM-hidden0", "ValueError", "hidden_size must be greater than zero", "nn.LSTM(3, 0)"),
    ("LSTM-hiddenf", "TypeError", "hidden_size should be of type int,", "nn.LSTM(3, 4.5)"),
    ("LSTM-layers0", "ValueError", "num_layers must be greater than zero", "nn.LSTM(3, 4, 0)"),
    ("LSTM-proj", "ValueError", "has to be smaller than hidden_size", "nn.LSTM(3, 4, proj_size=4)"),
    ("GRU-proj", "ValueError", "proj_size argument is only supported for", "nn.GRU(3, 4, proj_size=2)"),
    ("RNN-nonlin", "ValueError", "Unknown nonlinearity 'sigmoid'. Select from 'tanh'",
     "nn.RNN(3, 4, nonlinearity='sigmoid')"),
    ("RNNCell-nonlin", "RuntimeError", "Unknown nonlinearity: sigmoid",
     "nn.RNNCell(3, 4, nonlinearity='sigmoid')(torch.rand(2, 3))"),
    ("pack-len0", "RuntimeError", "found an element in 'lengths' that",
     "nn.utils.rnn.pack_padded_sequence(torch.rand(5, 2, 3), [5, 0])"),
    ("pack-unsorted", "RuntimeError", "pass `enforce_sorted=False` to pack_padded_sequence and/or",
     "nn.utils.rnn.pack_padded_sequence(torch.rand(5, 2, 3), [3, 5])"),
    ("pack-lens", "RuntimeError", "`len(lengths)` to be equal to batch_size,",
     "nn.utils.rnn.pack_padded_sequence(torch.rand(5, 2, 3), [5, 4, 3])"),
    ("pack-pad", "ValueError", "total_length=3 and max sequence length being",
     "packed = nn.utils.rnn.pack_padded_sequence(torch.rand(5, 2, 3), [5, 4])\n"
     "nn.utils.rnn.pad_packed_sequence(packed, total_length=3)"),
    ("Embedding-0", "IndexError", "index out of range in self",
     "m = nn.Embedding(5, 3)\n"
     "m(torch.tensor([1, 5]))"),
    ("Embedding-1", "IndexError", "index out of range in self",
     "m = nn.Embedding(5, 3)\n"
     "m(torch.tensor([-1]))"),
    ("Embedding-2", "RuntimeError", "got torch.FloatTensor instead (while checking arguments",
     "m = nn.Embedding(5, 3)\n"
     "m(torch.rand(3))"),
    ("Embedding-3", "TypeError", "embedding(): argument 'indices' (position 2) must",
     "m = nn.Embedding(5, 3)\n"
     "m([1, 2])"),
    ("Embedding-4", "RuntimeError", "got torch.ShortTensor instead (while checking arguments",
     "m = nn.Embedding(5, 3)\n"
     "m(torch.tensor([1]).short())"),
    ("Embedding-pad", "AssertionError", "Padding_idx must be within num_embeddings",
     "nn.Embedding(5, 3, padding_idx=5)"),
    ("Embedding-pad-neg", "AssertionError", "Padding_idx must be within num_embeddings",
     "nn.Embedding(5, 3, padding_idx=-6)"),
    ("Embedding-weight", "AssertionError", "does not match num_embeddings and embedding_dim",
     "nn.Embedding(5, 3, _weight=torch.rand(4, 3))"),
    ("Embedding-from", "AssertionError", "parameter is expected to be 2-dimensional",
     "nn.Embedding.from_pretrained(torch.rand(4))"),
    ("EmbeddingBag-0", "RuntimeError", "Index 1 of input takes value",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([1, 5]), torch.tensor([0]))"),
    ("EmbeddingBag-1", "ValueError", "a 1D Tensor but got None",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([1, 2]))"),
    ("EmbeddingBag-2", "ValueError", "mini-batch of fixed length sequences. However,",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([[1, 2]]), torch.tensor([0]))"),
    ("EmbeddingBag-3", "RuntimeError", "got torch.FloatTensor instead (while checking arguments",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.rand(2, 2))"),
    ("EmbeddingBag-4", "RuntimeError", "mini-batch has to start from position",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([1,2]), torch.tensor([1]))"),
    ("EmbeddingBag-5", "RuntimeError", "input's length 2 but got offsets[-1]",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([1,2]), torch.tensor([0,5]))"),
    ("EmbeddingBag-6", "ValueError", "Tensor, but got Tensor of dimension",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([[[1]]]))"),
    ("EmbeddingBag-7", "NotImplementedError", "embedding_bag: per_sample_weights was not None. per_sample_weights",
     "m = nn.EmbeddingBag(5, 3)\n"
     "m(torch.tensor([1,2]), torch.tensor([0]), torch.rand(2))"),
    ("EmbeddingBag-mode", "ValueError", "one of sum, mean or max",
     "nn.EmbeddingBag(5, 3, mode='median')(torch.tensor([[1]]))"),
    ("EmbeddingBag-psw", "ValueError", "embedding_bag: If per_sample_weights",
     "nn.EmbeddingBag(5, 3, mode='sum')(torch.tensor([[1, 2]]), per_sample_weights=torch.rand(1, 3))"),
    ("MHA-0", "AssertionError", "was expecting embedding dimension of 8,",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 7), torch.rand(3, 2, 7), torch.rand(3, 2, 7))"),
    ("MHA-1", "TypeError", "MultiheadAttention.forward() missing 1 required positional argument:",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 2, 8))"),
    ("MHA-2", "AssertionError", "does not match value shape torch.Size([3,",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(4, 2, 8), torch.rand(3, 2, 8))"),
    ("MHA-3", "AssertionError", "tensor but received 1-D query tensor",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3), torch.rand(3), torch.rand(3))"),
    ("MHA-4", "RuntimeError", "attn_mask is torch.Size([2, 2]), but should",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 2, 8), torch.rand(3, 2, 8), attn_mask=torch.zeros(2, 2))"),
    ("MHA-5", "AssertionError", "Expected key_padded_mask.shape[0] to be 2, but",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 2, 8), torch.rand(3, 2, 8), key_padding_mask=torch.zeros(3, 3))"),
    ("MHA-6", "AssertionError", "For batched (3-D) `query`, expected `key`",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 8), torch.rand(3, 8))"),
    ("MHA-7", "AssertionError", "only bool and floating types of",
     "m = nn.MultiheadAttention(8, 2)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 2, 8), torch.rand(3, 2, 8), attn_mask=torch.zeros(3, 3).long())"),
    ("MHA-heads", "AssertionError", "embed_dim must be divisible by num_heads", "nn.MultiheadAttention(8, 3)"),
    ("MHA-zero", "ValueError", "0, got embed_dim=0 and num_heads=3 instead", "nn.MultiheadAttention(0, 3)"),
    ("TEL-0", "AssertionError", "was expecting embedding dimension of 8,",
     "m = nn.TransformerEncoderLayer(8, 2, 16)\n"
     "m(torch.rand(3, 2, 7))"),
    ("TEL-1", "AssertionError", "tensor but received 1-D query tensor",
     "m = nn.TransformerEncoderLayer(8, 2, 16)\n"
     "m(torch.rand(3))"),
    ("TEL-2", "RuntimeError", "attn_mask is torch.Size([2, 2]), but should",
     "m = nn.TransformerEncoderLayer(8, 2, 16)\n"
     "m(torch.rand(3, 2, 8), torch.zeros(2, 2))"),
    ("TDL-0", "AssertionError", "was expecting embedding dimension of 8,",
     "m = nn.TransformerDecoderLayer(8, 2, 16)\n"
     "m(torch.rand(3, 2, 7), torch.rand(3, 2, 8))"),
    ("TDL-1", "TypeError", "TransformerDecoderLayer.forward() missing 1 required positional",
     "m = nn.TransformerDecoderLayer(8, 2, 16)\n"
     "m(torch.rand(3, 2, 8))"),
    ("TDL-2", "RuntimeError", "mat2 shapes cannot be multiplied (6x7",
     "m = nn.TransformerDecoderLayer(8, 2, 16)\n"
     "m(torch.rand(3,2,8), torch.rand(3,2,7))"),
    ("Transformer-0", "RuntimeError", "the batch number of src and",
     "m = nn.Transformer(8, 2, 1, 1, 16)\n"
     "m(torch.rand(3, 2, 8), torch.rand(3, 3, 8))"),
    ("Transformer-1", "RuntimeError", "the feature number of src and",
     "m = nn.Transformer(8, 2, 1, 1, 16)\n"
     "m(torch.rand(3, 2, 7), torch.rand(3, 2, 8))"),
    ("Transformer-2", "RuntimeError", "the feature number of src and",
     "m = nn.Transformer(8, 2, 1, 1, 16)\n"
     "m(torch.rand(3, 2, 7), torch.rand(3, 2, 7))"),
    ("Transformer-3", "AssertionError", "For batched (3-D) `query`, expected `key`",
     "m = nn.Transformer(8, 2, 1, 1, 16)\n"
     "m(torch.rand(3, 8), torch.rand(3, 2, 8))"),
    ("TEL-act", "RuntimeError", "activation should be relu/gelu, not swish",
     "nn.TransformerEncoderLayer(8, 2, activation='swish')"),
    ("Softmax-dim", "IndexError", "Dimension out of range (expected to", "nn.Softmax(dim=3)(torch.rand(2, 3))"),
    ("LogSoftmax-dim", "IndexError", "Dimension out of range (expected to",
     "F.log_softmax(torch.rand(2, 3), dim=-3)"),
    ("Softmax2d", "ValueError", "Softmax2d: expected input to be 3D", "nn.Softmax2d()(torch.rand(2, 3))"),
    ("Dropout-p", "ValueError", "dropout probability has to be between", "nn.Dropout(1.5)"),
    ("F-dropout-p", "ValueError", "dropout probability has to be between", "F.dropout(torch.rand(3), -0.1)"),
    ("F-dropout-int", "RuntimeError", "result type Float can't be cast", "F.dropout(torch.arange(3), 0.5)"),
    ("Dropout2d-dim", "ValueError", "dropout probability has to be between", "F.dropout2d(torch.rand(3), -1)"),
    ("AlphaDropout-p", "ValueError", "dropout probability has to be between", "nn.AlphaDropout(2)"),
    ("PReLU-num", "RuntimeError", "input channel size. Found parameter numbers", "nn.PReLU(3)(torch.rand(2, 4))"),
    ("GLU-odd", "RuntimeError", "dimension must be even, but dimension", "nn.GLU()(torch.rand(2, 3))"),
    ("GLU-dim", "IndexError", "Dimension out of range (expected to", "nn.GLU(4)(torch.rand(2, 3))"),
    ("GELU-approx", "RuntimeError", "approximate argument must be either none",
     "F.gelu(torch.rand(3), approximate='erf')"),
    ("RReLU", "RuntimeError", "Lower bound should be less than", "F.rrelu(torch.rand(3), 0.5, 0.1, True)"),
    ("Hardtanh", "AssertionError", "max_val (1) must be greater than", "nn.Hardtanh(2, 1)"),
    ("softplus-int", "NotImplementedError", "\"softplus_cpu\" not implemented for 'Long'",
     "F.softplus(torch.arange(3))"),
    ("elu-int", "NotImplementedError", "\"elu_cpu\" not implemented for 'Long'", "F.elu(torch.arange(3))"),
    ("gumbel", "IndexError", "Dimension out of range (expected to", "F.gumbel_softmax(torch.rand(3, 4), dim=5)"),
    ("cos-sim", "RuntimeError", "tensor b (5) at non-singleton dimension",
     "nn.CosineSimilarity()(torch.rand(3, 4), torch.rand(3, 5))"),
    ("pairwise", "RuntimeError", "tensor b (5) at non-singleton dimension",
     "nn.PairwiseDistance()(torch.rand(3, 4), torch.rand(3, 5))"),
    ("pdist", "RuntimeError", "pdist only supports 2D tensors, got:", "F.pdist(torch.rand(3))"),
    ("PixelShuffle", "RuntimeError", "pixel_shuffle expects its input's 'channel' dimension",
     "nn.PixelShuffle(2)(torch.rand(1, 3, 4, 4))"),
    ("PixelShuffle-dim", "RuntimeError", "pixel_shuffle expects input to have at",
     "nn.PixelShuffle(2)(torch.rand(4, 4))"),
    ("PixelUnshuffle", "RuntimeError", "downscale_factor, but input.size(-2)=5 is not divisible",
     "nn.PixelUnshuffle(2)(torch.rand(1, 3, 5, 4))"),
    ("ChannelShuffle", "RuntimeError", "channels must be divisible by groups.",
     "nn.ChannelShuffle(2)(torch.rand(1, 3, 4, 4))"),
    ("Upsample-none", "ValueError", "size or scale_factor should be defined",
     "nn.Upsample()(torch.rand(1, 1, 2, 2))"),
    ("Upsample-mode", "NotImplementedError", "3D input, but bilinear mode needs",
     "nn.Upsample(scale_factor=2, mode='bilinear')(torch.rand(1, 2, 4))"),
    ("Upsample-modename", "NotImplementedError", "input Tensors supported (got 4D) for",
     "nn.Upsample(scale_factor=2, mode='cubic')(torch.rand(1, 1, 2, 4))"),
    ("Upsample-align", "ValueError", "the interpolating modes: linear | bilinear",
     "nn.Upsample(scale_factor=2, mode='nearest', align_corners=True)(torch.rand(1, 1, 2, 4))"),
    ("grid_sample", "RuntimeError", "grid_sampler(): expected grid to have size",
     "F.grid_sample(torch.rand(1, 1, 4, 4), torch.rand(1, 2, 2, 3))"),
    ("grid_sample-mode", "ValueError", "nn.functional.grid_sample(): expected mode to be 'bilinear',",
     "F.grid_sample(torch.rand(1, 1, 4, 4), torch.rand(1, 2, 2, 2), mode='linear')"),
    ("affine_grid", "ValueError", "affine matrices of shape Nx2x3 for",
     "F.affine_grid(torch.rand(1, 3, 3), (1, 1, 4, 4))"),
    ("pad-odd", "RuntimeError", "Padding length must be divisible by", "F.pad(torch.rand(2, 3), (1, 2, 3))"),
    ("pad-long", "RuntimeError", "input dimension but got padding length", "F.pad(torch.rand(3), (1, 2, 3, 4))"),
    ("pad-mode", "NotImplementedError", "Unrecognised padding mode mirror",
     "F.pad(torch.rand(2, 3), (1, 2), mode='mirror')"),
    ("pad-reflect", "RuntimeError", "corresponding input dimension, but got: padding",
     "F.pad(torch.rand(1, 2, 3), (3, 0), mode='reflect')"),
    ("pad-circular", "RuntimeError", "Padding value causes wrapping around more",
     "F.pad(torch.rand(1, 2, 3), (4, 0), mode='circular')"),
    ("pad-negative", "RuntimeError", "", "F.pad(torch.rand(2, 3), (-4, 0))"),
    ("pad-reflect-dim", "RuntimeError", "input dimension but got padding length",
     "F.pad(torch.rand(3), (1, 0, 1, 0), mode='reflect')"),
    ("ZeroPad2d-0", "RuntimeError", "input dimension but got padding length",
     "m = nn.ReflectionPad2d(1)\n"
     "m(torch.rand(3))"),
    ("ZeroPad2d-1", "RuntimeError", "corresponding input dimension, but got: padding",
     "m = nn.ReflectionPad2d(1)\n"
     "m(torch.rand(1, 3, 1, 4))"),
    ("RepPad1d-0", "NotImplementedError", "supported for",
     "m = nn.ReplicationPad1d(1)\n"
     "m(torch.rand(3))"),
    ("Flatten", "IndexError", "Dimension out of range (expected to", "nn.Flatten(3)(torch.rand(2, 3))"),
    ("Unflatten", "RuntimeError", "unflatten: Provided sizes [2, 2] don't",
     "nn.Unflatten(1, (2, 2))(torch.rand(2, 3))"),
    ("Unflatten-str", "TypeError", "unflattened_size must be a tuple of", "nn.Unflatten(1, 'a')"),
]
