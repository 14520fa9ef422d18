"""Proofs: claims about a stage, tested on several seeds against controls at equal operations."""

from hanlin.runs.proofs.base import Arm, Claim, Proof
from hanlin.runs.proofs.preparing import prepare_proof
from hanlin.runs.proofs.price import Price
from hanlin.runs.proofs.registry import PROOFS, proof_of
from hanlin.runs.proofs.runner import Outcome, ProofRun
from hanlin.runs.proofs.subject import Subject

__all__ = [
    "PROOFS",
    "Arm",
    "Claim",
    "Outcome",
    "Price",
    "Proof",
    "ProofRun",
    "Subject",
    "prepare_proof",
    "proof_of",
]
