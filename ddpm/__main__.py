"""python -m ddpm generate "red sphere" "cyan cube" --seed 7 --out scene.png"""

import sys

from ddpm.cli import main

if __name__ == "__main__":
    sys.exit(main())
