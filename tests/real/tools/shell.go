package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
)

// field prints one value of the JSON object on stdin: `field a b 0 c`, one word a level. A text comes out
// bare, anything else as JSON; what is not there is an error, so that a misspelt name can't pass for an empty value.
func field(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: tools field KEY... < JSON")
	}
	var value any
	if err := json.NewDecoder(os.Stdin).Decode(&value); err != nil {
		return err
	}
	for _, key := range args {
		next, found := step(value, key)
		if !found {
			return fmt.Errorf("no %q of %q", key, args)
		}
		value = next
	}
	if text, ok := value.(string); ok {
		fmt.Println(text)
		return nil
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func step(value any, key string) (any, bool) {
	switch value := value.(type) {
	case map[string]any:
		next, found := value[key]
		return next, found
	case []any:
		index, err := strconv.Atoi(key)
		if err != nil || index < 0 || index >= len(value) {
			return nil, false
		}
		return value[index], true
	}
	return nil, false
}

// ports prints as many free loopback ports as asked for. They are held open together until all are known, so no number
// comes twice; another process may still take one before it is used, which is why tests/real/up tries more than once.
func ports(args []string) error {
	count := 1
	if len(args) == 1 {
		var err error
		if count, err = strconv.Atoi(args[0]); err != nil {
			return err
		}
	}
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	}
	return nil
}

// secret prints a random bearer token.
func secret([]string) error {
	bytes := make([]byte, 24)
	if _, err := rand.Read(bytes); err != nil {
		return err
	}
	fmt.Println(hex.EncodeToString(bytes))
	return nil
}
