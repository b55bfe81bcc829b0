"""Privacy: data export, erasure, emptied addresses and retention."""
