// Command tools holds what the scripts of tests/real need and a shell has not: free ports, certificates, a stand-in for
// the kubelet, and the check of a token that an identity provider would make. It uses the standard library alone, so it
// builds in seconds and is there even where the control plane comes ready-made.
package main

import (
	"fmt"
	"os"
)

var commands = map[string]func(args []string) error{
	"field":        field,
	"kubelet":      kubelet,
	"pki":          pki,
	"ports":        ports,
	"probe":        probe,
	"request":      request,
	"secret":       secret,
	"verify-token": verifyToken,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: tools field|kubelet|pki|ports|probe|request|secret|verify-token ...")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "tools %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
