package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// request sends one request, with stdin as its body where a --type is given, and prints the answer's body. It exists
// because kubectl has no raw PATCH, and its `apply` is not the partial apply that the product sends.
func request(args []string) error {
	flags := flag.NewFlagSet("request", flag.ExitOnError)
	server := flags.String("server", "", "API server")
	ca := flags.String("ca", "", "file with its CA")
	token := flags.String("token", "", "bearer token; none: nobody")
	kind := flags.String("type", "", "content type of the body")
	expect := flags.Int("expect", 0, "status wanted; left out: any 2xx")
	_ = flags.Parse(args)
	if flags.NArg() != 2 {
		return fmt.Errorf("usage: tools request [FLAGS] METHOD PATH")
	}
	target, err := newEndpoint(*server, *ca, *token)
	if err != nil {
		return err
	}
	var body io.Reader
	if *kind != "" {
		body = os.Stdin
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	response, err := target.send(ctx, flags.Arg(0), flags.Arg(1), *kind, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if !wanted(response, *expect) {
		return fmt.Errorf("%s %s: %s: %s", flags.Arg(0), flags.Arg(1), response.Status, text)
	}
	_, err = os.Stdout.Write(append(text, '\n'))
	return err
}

func wanted(response *http.Response, status int) bool {
	if status == 0 {
		return response.StatusCode/100 == 2
	}
	return response.StatusCode == status
}
