"""Makes Python look for garbage seldom: it does so hundreds of times while vLLM is imported, where there is none.

That is a tenth to a fifth of the processor time of three processes' imports; yield_cpu.pth imports it into all.
"""

import gc

gc.set_threshold(200_000, 50, 100)
