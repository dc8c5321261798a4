package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
)

// endpoint is an HTTPS server with a CA of its own, reached directly: whatever proxy the environment names is meant for
// the program under test.
type endpoint struct {
	server, token string
	client        *http.Client
}

func newEndpoint(server, caFile, token string) (*endpoint, error) {
	transport := &http.Transport{}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("no certificate in %s", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &endpoint{server: server, token: token, client: &http.Client{Transport: transport}}, nil
}

// send sends a request and hands back whatever the answer is.
func (e *endpoint) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, e.server+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if e.token != "" {
		request.Header.Set("Authorization", "Bearer "+e.token)
	}
	return e.client.Do(request)
}

// do sends a request and hands back the open body of a 2xx answer; any other answer is an error with its text.
func (e *endpoint) do(ctx context.Context, method, path, contentType string, body io.Reader) (io.ReadCloser, error) {
	response, err := e.send(ctx, method, path, contentType, body)
	if err != nil {
		return nil, err
	}
	if !wanted(response, 0) {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return response.Body, nil
}
