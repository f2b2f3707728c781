import sys

from tests.planted.mutations import main

sys.exit(main(sys.argv[1:]))
