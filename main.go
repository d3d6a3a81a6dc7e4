// Command hbjournal writes every UDP datagram it receives as one JSON line to a journal file that rotates by itself.
package main

import (
	"os"

	"hbjournal/config/cli"
)

func main() {
	os.Exit(cli.Main())
}
