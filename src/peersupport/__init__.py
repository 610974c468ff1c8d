"""Pure functions behind the notebooks of the peer support review."""

import scipy.linalg  # noqa: F401  its BLAS has to be there to be limited
from threadpoolctl import threadpool_limits

threadpool_limits(1, user_api="blas")  # with more threads, the last digits of a result are others
