"""The radial grid, in r / a; without JAX, so that a driver can draw on it."""

import numpy as np

BOUNDARY = 0.9  # where the pedestal's temperature is given
INTERVALS = 18
STEP = BOUNDARY / INTERVALS
NODES = np.linspace(0.0, BOUNDARY, INTERVALS + 1)  # where temperatures live
FACES = 0.5 * (NODES[1:] + NODES[:-1])  # where fluxes and gradients live

# ln T is linear in the gradients -a d(ln T)/dr of the faces: their sum from the boundary inwards.
TO_NODES = STEP * np.triu(np.ones((INTERVALS + 1, INTERVALS)))
TO_FACES = 0.5 * (TO_NODES[1:] + TO_NODES[:-1])
