package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"time"
)

type discovery struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

type keySet struct {
	Keys []struct{ Kid, Kty, Alg, N, E string }
}

type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Issued   int64    `json:"iat"`
	Expires  int64    `json:"exp"`
}

// verifyToken does with the token on stdin what an identity provider does before it trusts one: discovery and keys are
// fetched without a credential, the key is found by its id, signature, issuer, audience, subject and life are checked.
// The keys are read from the server at hand, not from jwks_uri: that names a public host which only a proxy can answer.
func verifyToken(args []string) error {
	flags := flag.NewFlagSet("verify-token", flag.ExitOnError)
	server := flags.String("server", "", "API server that issued the token")
	ca := flags.String("ca", "", "file with its CA")
	issuer := flags.String("issuer", "", "issuer wanted, byte for byte")
	audience := flags.String("audience", "", "the one audience wanted")
	subject := flags.String("subject", "", "subject wanted")
	_ = flags.Parse(args)
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	api, err := newEndpoint(*server, *ca, "")
	if err != nil {
		return err
	}
	var document discovery
	if err := api.getJSON("/.well-known/openid-configuration", &document); err != nil {
		return err
	}
	if document.Issuer != *issuer {
		return fmt.Errorf("discovery names the issuer %q, wanted %q", document.Issuer, *issuer)
	}
	if wanted := *issuer + "openid/v1/jwks"; document.JWKSURI != wanted {
		return fmt.Errorf("discovery names the keys %q, wanted %q", document.JWKSURI, wanted)
	}
	var keys keySet
	if err := api.getJSON("/openid/v1/jwks", &keys); err != nil {
		return err
	}
	payload, err := verified(strings.TrimSpace(string(text)), keys)
	if err != nil {
		return err
	}
	var got claims
	if err := json.Unmarshal(payload, &got); err != nil {
		return err
	}
	switch now := time.Now().Unix(); {
	case got.Issuer != *issuer:
		return fmt.Errorf("iss is %q, wanted %q", got.Issuer, *issuer)
	case got.Subject != *subject:
		return fmt.Errorf("sub is %q, wanted %q", got.Subject, *subject)
	case !slices.Equal(got.Audience, []string{*audience}):
		return fmt.Errorf("aud is %q, wanted a list of one: %q", got.Audience, *audience)
	case got.Issued > now+60 || got.Expires <= now:
		return fmt.Errorf("not valid now: iat %d, exp %d, now %d", got.Issued, got.Expires, now)
	}
	fmt.Println(string(payload))
	return nil
}

func (e *endpoint) getJSON(path string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	body, err := e.do(ctx, "GET", path, "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(body).Decode(into)
}

// verified gives the payload of a token signed with one of the keys.
func verified(token string, keys keySet) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a signed token: %d parts", len(parts))
	}
	var header struct{ Alg, Kid string }
	text, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, err
	}
	if header.Alg != "RS256" {
		return nil, fmt.Errorf("alg is %q, wanted RS256", header.Alg)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	for _, key := range keys.Keys {
		if key.Kid != header.Kid {
			continue
		}
		public, err := rsaKey(key.N, key.E)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature); err != nil {
			return nil, err
		}
		return base64.RawURLEncoding.DecodeString(parts[1])
	}
	return nil, fmt.Errorf("no published key has the id %q", header.Kid)
}

func rsaKey(n, e string) (*rsa.PublicKey, error) {
	modulus, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		return nil, err
	}
	exponent, err := base64.RawURLEncoding.DecodeString(e)
	if err != nil {
		return nil, err
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}, nil
}
