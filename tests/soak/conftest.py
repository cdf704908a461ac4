"""Lets the tests of the soak import its modules and those of tests/e2e."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
