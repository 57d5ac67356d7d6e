"""Knowledge distillation: learn from the predictions of an ensemble."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Teacher:
    """Predicts the mean probabilities of an ensemble for each training batch, after augmentation.

    Not a module: its weights belong to neither the student's checkpoint nor its optimizer.

    Args:
        networks: features `(B, C, F, T)` -> log-probabilities `(B, num_classes)`, in evaluation mode.
        weight: of the ensemble's predictions in the loss; the data's targets have the rest.

    Source: Hinton et al., arXiv 1503.02531. Teacher and student should see the same augmented input, and the student
    should train for long: Beyer et al., arXiv 2106.05237.
    """

    def __init__(self, networks: Sequence[nn.Module], weight: float) -> None:
        self.networks, self.weight = nn.ModuleList(networks), weight

    @torch.no_grad()
    def probs(self, features: Tensor) -> Tensor:
        """Features `(B, C, F, T)` -> mean probabilities `(B, num_classes)`, float32."""
        features = features.contiguous(memory_format=torch.channels_last)
        return torch.stack([network(features).exp() for network in self.networks]).mean(dim=0)
