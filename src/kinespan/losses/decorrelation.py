"""Feature decorrelation: views agree without negatives; keeping dimensions apart prevents collapse.

Notable choices:
- VICReg's and Barlow Twins' terms together, as USDRL sums them
- pairs come row by row already matched: the loss knows nothing of time
- in float32 even under autocast: sums over samples need the digits
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError

EPSILON = 1e-4
"""Added to variances under the root, as in VICReg."""


class DecorrelationLoss(nn.Module):
    """L = mean over pairs (a, b) of views of  s S(a, b) + r R(a, b) + v [V(a) + V(b)] + c [C(a) + C(b)].

    With z^a (N, D) the projections of view a:

        S(a, b) = mean over samples and dimensions of (z^a - z^b)^2                             similarity
        V(a)    = 1/D sum_i max(0, 1 - sqrt(Var(z^a_i) + 1e-4))                                 variance
        C(a)    = 1/D sum_{i != j} Cov(z^a)_ij^2                                                covariance
        R(a, b) = sum_i (1 - X_ii)^2 + lambda sum_{i != j} X_ij^2                               cross-correlation

    X_ij is the correlation of z^a_i with z^b_j over samples. S, V and C are VICReg's (Bardes et al., ICLR 2022,
    equations 1 to 5, S divided by D as well, as it is trained), R is Barlow Twins' (Zbontar et al., ICML 2021,
    equations 1 and 2); USDRL (Weng et al., AAAI 2025) sums all four. With fewer than two samples it is zero.
    """

    def __init__(
        self,
        similarity: float = 5.0,
        variance: float = 1.0,
        covariance: float = 1.0,
        correlation: float = 1e-3,
        redundancy: float = 5e-3,
    ) -> None:
        """s, v, c, r and lambda of the equation. Raises InputError for one that is negative."""
        super().__init__()
        weights = {
            "similarity": similarity, "variance": variance, "covariance": covariance,
            "correlation": correlation, "redundancy": redundancy,
        }  # fmt: skip
        for name, weight in weights.items():
            if not weight >= 0:
                raise InputError(f"{name} is {weight}, expected at least 0")
        self.similarity, self.variance, self.covariance = similarity, variance, covariance
        self.correlation, self.redundancy = correlation, redundancy

    def forward(self, views: Sequence[Tensor], pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Scalar of two or more views (N_a, D), and of the matching rows of each pair of views, twice (N_ab, D)."""
        spread = torch.stack([self.spread(view) for view in views]).mean()
        return 2 * spread + torch.stack([self.agreement(*pair) for pair in pairs]).mean()

    def spread(self, z: Tensor) -> Tensor:
        """v V + c C of a view's projections (N, D)."""
        if len(z) < 2:
            return z.float().sum() * 0.0
        centred = z.float() - z.float().mean(dim=0)  # (N, D)
        deviation = (centred.square().sum(dim=0) / (len(z) - 1) + EPSILON).sqrt()  # (D,)
        variance = F.relu(1 - deviation).mean()
        covariance = centred.T @ centred / (len(z) - 1)  # (D, D)
        return self.variance * variance + self.covariance * _off_diagonal(covariance) / z.shape[1]

    def agreement(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        """s S + r R of two views' projections (N, D) of the same samples."""
        if len(z_a) < 2:
            return (z_a.float().sum() + z_b.float().sum()) * 0.0
        similarity = F.mse_loss(z_a.float(), z_b.float())
        correlation = _standardised(z_a).T @ _standardised(z_b) / len(z_a)  # (D, D)
        diagonal = (1 - correlation.diagonal()).square().sum()
        redundancy = diagonal + self.redundancy * _off_diagonal(correlation)
        return self.similarity * similarity + self.correlation * redundancy


def _standardised(z: Tensor) -> Tensor:
    """z (N, D) with mean 0 and mean square 1 over its rows, as a batch norm without weights gives it."""
    return F.batch_norm(z.float(), None, None, training=True)


def _off_diagonal(square: Tensor) -> Tensor:
    """The sum of the squared off-diagonal elements of a matrix (D, D)."""
    return square.square().sum() - square.diagonal().square().sum()
