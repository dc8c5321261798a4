package main

import (
	"context"
	"flag"
	"time"
)

// probe waits until a URL answers 2xx, and gives up after a limit with the last answer as the reason.
func probe(args []string) error {
	flags := flag.NewFlagSet("probe", flag.ExitOnError)
	url := flags.String("url", "", "what to get")
	ca := flags.String("ca", "", "file with the CA, for https")
	token := flags.String("token", "", "bearer token")
	limit := flags.Duration("limit", 30*time.Second, "how long to go on")
	_ = flags.Parse(args)
	target, err := newEndpoint(*url, *ca, *token)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(*limit)
	for {
		err := get(target)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func get(target *endpoint) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	body, err := target.do(ctx, "GET", "", "", nil)
	if err != nil {
		return err
	}
	return body.Close()
}
