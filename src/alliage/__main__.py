"""`python -m alliage` is the command `alliage`."""

from alliage.faces.cli.main import main

main()
