"""Motion on a skeleton: kinematics, retargeting, foot contacts. Metres, Y up, the body faces +Z at rest."""

from duende.motion.motion import Motion
from duende.motion.skeleton import SMPL24, Skeleton

__all__ = ["SMPL24", "Motion", "Skeleton"]
