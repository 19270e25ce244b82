"""Scripts import each other as what lies beside them; tests of other folders come first."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "scripts"))
