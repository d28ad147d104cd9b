# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     name: python3
# ---

# %% [markdown]
# # Glossary (术语表)
#
# The terms of the course in the order in which it comes to them: English, Chinese (中文), the symbol or name in code, one
# line, and where it is taught. `Ctrl` + `F` finds a term in either language.

# %% [markdown]
# ## Number formats (数值格式)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | floating-point number | 浮点数 |  | A sign, an exponent and a mantissa; normal ones are (−1)ˢ · (1 + m/2ᴹ) · 2^(e − b). | [02, 2](02_number_formats.ipynb#2.-The-answer-in-60-seconds) |
# | fp32, single precision | 单精度 | binary32 | 1 sign, 8 exponent and 23 mantissa bits; IEEE 754. | [02, 4.2](02_number_formats.ipynb#4.2-Range-and-precision,-from-the-layout-alone) |
# | fp16, half precision | 半精度 | binary16 | 1, 5 and 10 bits; nothing finite above 65504. | [02, 4.2](02_number_formats.ipynb#4.2-Range-and-precision,-from-the-layout-alone) |
# | bf16, bfloat16 | bfloat16 格式 | `bfloat16` | 1, 8 and 7 bits: the upper half of an fp32 pattern. | [02, 4.8](02_number_formats.ipynb#4.8-What-bf16-shares-with-fp32) |
# | TF32 | TF32 格式 |  | 1, 8 and 10 bits, to which Tensor Cores round fp32 inputs; stored in 32 bits. | [02, 4.9](02_number_formats.ipynb#4.9-Two-more-names:-TF32-and-FP8) |
# | fp8 | 8 位浮点 | E4M3, E5M2 | Two formats of 8 bits: E4M3 with more precision, E5M2 with more range. | [02, 4.9](02_number_formats.ipynb#4.9-Two-more-names:-TF32-and-FP8) |
# | sign | 符号 | s | The first bit: 1 means negative. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | exponent | 指数 (阶码) | e | The field that says between which powers of two a number lies; it sets the range. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | mantissa | 尾数 | m | The field that says where between them; it sets the precision. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | range | 数值范围 |  | From the smallest to the largest magnitude that a format holds. | [02, 4.2](02_number_formats.ipynb#4.2-Range-and-precision,-from-the-layout-alone) |
# | precision | 精度 |  | How many digits a format keeps, relative to the number. | [02, 4.2](02_number_formats.ipynb#4.2-Range-and-precision,-from-the-layout-alone) |
# | machine epsilon | 机器精度 | ε | The gap from 1 to the next number above it: 2⁻ᴹ with M mantissa bits. | [02, 4.2](02_number_formats.ipynb#4.2-Range-and-precision,-from-the-layout-alone) |
# | unit roundoff | 单位舍入误差 | u = ε/2 | Bounds the relative error of rounding to nearest, among the normal numbers. | [02, 4.6](02_number_formats.ipynb#4.6-Why-1-+-small-is-lost) |
# | ulp | 最后一位上的单位值 | ulp | The gap from the largest number ≤ \|x\| to the next one above; it doubles at every power of two. | [02, 4.5](02_number_formats.ipynb#4.5-How-far-apart-the-numbers-are) |
# | normal number | 规格化数 |  | A number with an implied leading 1 before the mantissa. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | subnormal number | 次正规数 (非规格化数) |  | Below the smallest normal number: no leading 1, ever fewer digits, evenly spaced. | [02, 4.3](02_number_formats.ipynb#4.3-Where-fp16-runs-out) |
# | overflow | 上溢 | inf | A result beyond the largest finite number; in fp16 it becomes infinite. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | underflow | 下溢 | 0 | A result so small that it becomes subnormal, or 0. | [02, 4.1](02_number_formats.ipynb#4.1-Flip-some-bits) |
# | round to nearest, ties to even | 向偶数舍入 |  | The nearest number; halfway between two, the one whose last bit is 0. | [02, 4.6](02_number_formats.ipynb#4.6-Why-1-+-small-is-lost) |
# | stochastic rounding | 随机舍入 |  | Up or down at random, in proportion to the distances, so that the mean is right. | [02, 6](02_number_formats.ipynb#6.-Follow-ups) |
# | accumulator | 累加器 |  | Where a sum is kept; wide ones save long sums of 16-bit numbers. | [02, 4.7](02_number_formats.ipynb#4.7-Why-a-long-16-bit-sum-stalls) |

# %% [markdown]
# ## Mixed precision (混合精度)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | mixed precision | 混合精度 | `mixed_float16`, `mixed_bfloat16` | Compute in 16 bits, keep weights, optimizer state and update in fp32. | [01, 4.1](01_why_mixed_precision.ipynb#4.1-What-is-mixed) |
# | dtype policy | 数据类型策略 | `DTypePolicy` | Two dtypes of a layer: what it computes in, and what its variables are. | [03, 4.1](03_mixed_precision_in_tensorflow.ipynb#4.1-A-policy-is-two-dtypes) |
# | compute dtype | 计算类型 | `compute_dtype` | What a layer's inputs and weights are cast to. | [03, 4.1](03_mixed_precision_in_tensorflow.ipynb#4.1-A-policy-is-two-dtypes) |
# | variable dtype | 变量类型 | `variable_dtype` | What a layer's weights are kept in: float32 under a mixed policy. | [03, 4.1](03_mixed_precision_in_tensorflow.ipynb#4.1-A-policy-is-two-dtypes) |
# | master weights | 主权重 |  | The fp32 weights that the optimizer updates. | [02, 4.6](02_number_formats.ipynb#4.6-Why-1-+-small-is-lost) |
# | working copy | 工作副本 |  | The 16-bit copy of the weights that a layer computes with. | [01, 4.2](01_why_mixed_precision.ipynb#4.2-Where-the-bytes-are) |
# | cast | 类型转换 | `astype` | Each number by itself to another format; no scale, nothing to calibrate. | [04, 4.1](04_quantization.ipynb#4.1-To-cast-or-to-quantize) |
# | activation | 激活值 |  | What a layer hands on; the backward pass needs it. | [01, 4.2](01_why_mixed_precision.ipynb#4.2-Where-the-bytes-are) |
# | optimizer slots | 优化器槽位 | m, v | What an optimizer keeps for each weight; Adam has two moments. | [01, 4.2](01_why_mixed_precision.ipynb#4.2-Where-the-bytes-are) |
# | loss scaling | 损失缩放 | S | Multiply the loss, so that small gradients do not underflow; divide before the update. | [03, 4.7](03_mixed_precision_in_tensorflow.ipynb#4.7-What-fp16-loses-without-scaling) |
# | dynamic loss scaling | 动态损失缩放 | `LossScaleOptimizer` | Skip a step and halve the scale when a gradient is not finite; double it after many good ones. | [03, 4.8](03_mixed_precision_in_tensorflow.ipynb#4.8-Dynamic-scaling-at-work) |
# | logits | 未归一化的分数 |  | The outputs before the softmax; give them to the loss in fp32. | [03, 4.4](03_mixed_precision_in_tensorflow.ipynb#4.4-Why-the-output-layer-stays-in-fp32) |
# | cross-entropy | 交叉熵 |  | The loss of a classifier: minus the log of the right class's probability. | [03, 4.3](03_mixed_precision_in_tensorflow.ipynb#4.3-An-audit:-what-does-a-program-really-compute-in?) |
# | custom training loop | 自定义训练循环 | `GradientTape` | A loop of your own; scaling the loss is up to you. | [03, 4.6](03_mixed_precision_in_tensorflow.ipynb#4.6-A-loop-of-your-own) |
# | data parallelism | 数据并行 |  | Every worker has the whole model and a part of the batch. | [03, 4.9](03_mixed_precision_in_tensorflow.ipynb#4.9-Beyond-one-machine) |
# | all-reduce | 全归约 |  | Sums or averages the workers' gradients, so that all apply the same ones. | [03, 4.9](03_mixed_precision_in_tensorflow.ipynb#4.9-Beyond-one-machine) |
# | checkpoint | 检查点 | `.keras` | The saved variables; as narrow as they are, whatever is computed in. | [01, 2](01_why_mixed_precision.ipynb#2.-The-answer-in-60-seconds) |

# %% [markdown]
# ## Quantization (量化)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | quantization | 量化 |  | Map real numbers to a few integers on an even grid. | [04, 4.1](04_quantization.ipynb#4.1-To-cast-or-to-quantize) |
# | scale | 缩放因子 | s | The step of the grid: real ≈ s · (q − z). | [04, 4.2](04_quantization.ipynb#4.2-Scale-and-zero-point) |
# | zero-point | 零点 | z | The integer that stands for the real number 0. | [04, 4.2](04_quantization.ipynb#4.2-Scale-and-zero-point) |
# | symmetric, asymmetric | 对称, 非对称 | z = 0, z ≠ 0 | Whether the grid reaches equally far on both sides of 0. | [04, 4.3](04_quantization.ipynb#4.3-Two-choices) |
# | per tensor, per channel | 逐张量, 逐通道 | `axis` | One scale for all, or one for each output channel. | [04, 4.3](04_quantization.ipynb#4.3-Two-choices) |
# | rounding error | 舍入误差 |  | The part of the error that comes from the step; at most half a step. | [04, 4.4](04_quantization.ipynb#4.4-Six-decibels-a-bit) |
# | clipping | 截断误差 |  | The part of the error that comes from what lies outside the grid. | [04, 4.4](04_quantization.ipynb#4.4-Six-decibels-a-bit) |
# | SQNR | 量化信噪比 | dB | Signal power over error power; about 6 dB a bit, where nothing is clipped. | [04, 4.4](04_quantization.ipynb#4.4-Six-decibels-a-bit) |
# | outlier | 离群值 |  | A number far from the others; it widens the step for all of them. | [04, 4.1](04_quantization.ipynb#4.1-To-cast-or-to-quantize) |
# | post-training quantization, PTQ | 训练后量化 | PTQ | Quantize a trained model, without training on. | [05, 4.5](05_quantization_aware_training.ipynb#4.5-PTQ-against-QAT) |
# | dynamic-range quantization | 动态范围量化 |  | int8 weights; activation ranges are measured for each input, at inference. | [04, 4.6](04_quantization.ipynb#4.6-Three-ways-with-the-TFLite-converter) |
# | full-integer quantization | 全整数量化 |  | int8 weights and activations, with ranges fixed beforehand. | [04, 4.6](04_quantization.ipynb#4.6-Three-ways-with-the-TFLite-converter) |
# | calibration | 校准 | `representative_dataset` | Find the ranges of the activations on typical inputs. | [04, 4.6](04_quantization.ipynb#4.6-Three-ways-with-the-TFLite-converter) |
# | requantization | 重量化 | M = s₁s₂/s₃ | Bring an int32 sum back to the next layer's int8 grid. | [04, 4.2](04_quantization.ipynb#4.2-Scale-and-zero-point) |
# | fixed-point multiplier | 定点乘数 | M₀ · 2⁻ⁿ | An integer product and a shift that stand for a real multiplier. | [04, 4.8](04_quantization.ipynb#4.8-Integers-only,-number-by-number) |
# | cross-layer equalization | 跨层均衡 |  | Scale a channel down and the next layer's inputs up, so that ranges become alike. | [04, 4.7](04_quantization.ipynb#4.7-How-it-goes-wrong) |

# %% [markdown]
# ## Quantization-aware training (量化感知训练)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | quantization-aware training, QAT | 量化感知训练 | QAT | Train float weights through rounding, so that rounding does little harm later. | [05, 4.2](05_quantization_aware_training.ipynb#4.2-A-network-that-rounds,-and-what-stays-float) |
# | fake quantization | 伪量化 | `fake_quant` | Quantize and at once dequantize: floats that lie on the grid. | [05, 4.2](05_quantization_aware_training.ipynb#4.2-A-network-that-rounds,-and-what-stays-float) |
# | straight-through estimator, STE | 直通估计器 | STE | Take the gradient of rounding as 1 inside the range. | [05, 4.1](05_quantization_aware_training.ipynb#4.1-A-staircase-has-no-slope) |
# | observer | 观察器 |  | Keeps the range of what passes through, during training. | [05, 5](05_quantization_aware_training.ipynb#5.-What-the-answer-sounds-like) |
# | moving average | 滑动平均 | momentum | An average that forgets: old · m + new · (1 − m). | [05, 2](05_quantization_aware_training.ipynb#2.-The-answer-in-60-seconds) |
# | batch-norm folding | 批归一化折叠 | γ, β, μ, σ | Merge batch normalization into the layer before it. | [05, 4.4](05_quantization_aware_training.ipynb#4.4-Batch-normalization:-fold-it) |
# | oscillation | 振荡 |  | A weight that hops between two grid points, step after step. | [05, 6](05_quantization_aware_training.ipynb#6.-Follow-ups) |
# | progressive quantization | 渐进式量化 |  | Fewer bits in stages, while training. | [05, 4.8](05_quantization_aware_training.ipynb#4.8-Progressive-bit-width) |

# %% [markdown]
# ## Pruning (剪枝)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | pruning | 剪枝 |  | Remove connections or neurons from a network. | [06, 2](06_pruning.ipynb#2.-The-answer-in-60-seconds) |
# | sparsity | 稀疏度 |  | The share of zeros. | [06, 2](06_pruning.ipynb#2.-The-answer-in-60-seconds) |
# | mask | 掩码 |  | Zeros and ones that say which weights stay. | [06, 4.4](06_pruning.ipynb#4.4-Networks-with-masks,-and-a-trap) |
# | magnitude pruning | 幅值剪枝 | \|w\| | Drop the smallest absolute values. | [06, 4.1](06_pruning.ipynb#4.1-Connections,-blocks,-neurons,-channels) |
# | unstructured pruning | 非结构化剪枝 |  | Single weights become zero; the shapes stay. | [06, 2](06_pruning.ipynb#2.-The-answer-in-60-seconds) |
# | structured pruning | 结构化剪枝 |  | Whole neurons or channels go; the matrices shrink. | [06, 2](06_pruning.ipynb#2.-The-answer-in-60-seconds) |
# | 2:4 sparsity | 半结构化剪枝 | 2:4 | At most two of every four neighbours are not zero; some hardware can use it. | [06, 4.1](06_pruning.ipynb#4.1-Connections,-blocks,-neurons,-channels) |
# | gradual pruning | 渐进式剪枝 | cubic schedule | More zeros step by step, training in between. | [06, 4.5](06_pruning.ipynb#4.5-Accuracy-against-sparsity,-and-four-honest-baselines) |
# | one-shot pruning | 一次性剪枝 |  | All zeros at once. | [06, 4.5](06_pruning.ipynb#4.5-Accuracy-against-sparsity,-and-four-honest-baselines) |
# | fine-tuning | 微调 |  | Train on after a change, usually with a small rate. | [06, 4.5](06_pruning.ipynb#4.5-Accuracy-against-sparsity,-and-four-honest-baselines) |
# | global, per layer | 全局排序, 逐层 |  | One threshold for the network, or one for each layer. | [06, 4.6](06_pruning.ipynb#4.6-Global-against-per-layer,-and-sensitivity) |
# | sensitivity | 敏感度 |  | How much accuracy a layer costs, when it alone is pruned. | [06, 4.6](06_pruning.ipynb#4.6-Global-against-per-layer,-and-sensitivity) |
# | rewinding | 回退 |  | Set surviving weights back to early values, then train again. | [06, 4.7](06_pruning.ipynb#4.7-Rewinding) |
# | lottery ticket hypothesis | 彩票假设 |  | A dense network holds a small one that trains as well, from its own initial weights. | [06, 4.7](06_pruning.ipynb#4.7-Rewinding) |
# | compressed sparse row, CSR | 压缩稀疏行 | CSR | Values, their columns, and where each row begins. | [06, 4.2](06_pruning.ipynb#4.2-Bytes:-nothing-until-somebody-encodes-the-zeros) |
# | bitmap | 位图 |  | One bit an element, then the values that are not zero. | [06, 4.2](06_pruning.ipynb#4.2-Bytes:-nothing-until-somebody-encodes-the-zeros) |
# | TFMOT | 模型优化工具包 | `tensorflow_model_optimization` | TensorFlow's library for pruning and QAT; it knows only Keras 2's models. | [06, 4.9](06_pruning.ipynb#4.9-The-library:-TFMOT) |

# %% [markdown]
# ## Hardware and deployment (硬件与部署)
#
# | English | 中文 | symbol | in one line | taught in |
# |---|---|---|---|---|
# | compute capability | 计算能力 | 7.0, 8.0 … | NVIDIA's number for what a GPU has, such as Tensor Cores. | [01, 8](01_why_mixed_precision.ipynb#8.-Seen-in-the-wild) |
# | memory | 显存 | bytes | Weights, gradients, slots and activations together. | [01, 4.2](01_why_mixed_precision.ipynb#4.2-Where-the-bytes-are) |
# | inference | 推理 |  | Use a trained model; no gradients. | [04, 4.6](04_quantization.ipynb#4.6-Three-ways-with-the-TFLite-converter) |
# | distillation | 知识蒸馏 |  | Train a small network on a large one's outputs. | [07, 6](07_putting_it_together.ipynb#6.-Follow-ups) |
# | training from scratch | 从头训练 |  | The baseline for every compressed network: the same size, from new weights. | [06, 4.8](06_pruning.ipynb#4.8-Neurons,-against-the-same-small-network-from-scratch) |
# | baseline | 基线 |  | What a result is compared with. | [07, 4.6](07_putting_it_together.ipynb#4.6-The-baseline-that-needs-none-of-it) |
