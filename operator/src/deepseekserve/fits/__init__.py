"""Turns a resource, and what is known of its model and GPU, into a verdict: it fits, it cannot work, or nobody can say.

    asked       resource, GPU, shape -> the setup that sizing is asked about
    case        all of that in one value; `edited` is the same with a fix applied
    hardware    what is asked of the device plugin -> a GPU, a slice of one, or nobody knows
    extras      the extra arguments -> what the sum knows nothing of
    doubts      the extra arguments -> which of them the engine would refuse
    formats     what quantization, dtype and compute capability forbid
    division    what heads, devices and the model's own context forbid
    memory      what the sum forbids, and which edits may help
    autos       what is left to us -> the number that the sum decides for
    checks      all of these in order, and what is missing for a better answer
    remedies    what is refused -> edits after which all checks admit it
    verdict     all of it -> Verdict
    outcome     the catalogue's facts before, and the Fit that a status shows after it

Pure. A refusal carries the number that failed and fixes in the form that failures have.
"""

from deepseekserve.fits.asked import product, with_image
from deepseekserve.fits.case import Case, Known, case_of, edited
from deepseekserve.fits.outcome import catalogued, fit_of, known_of, summarised
from deepseekserve.fits.verdict import Verdict, judge

__all__ = [
    "Case", "Known", "Verdict", "case_of", "catalogued", "edited", "fit_of", "judge", "known_of", "product",
    "summarised", "with_image",
]
