package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A throw-away control plane lives for minutes; a day leaves room for one that somebody keeps to look at.
const certificateLife = 24 * time.Hour

// pki fills a folder with ca.crt, and tls.crt with tls.key for 127.0.0.1, localhost and the names given. The CA's key is
// thrown away. With --service-account there are also sa.key and sa.pub: RSA, so that tokens are RS256 as on AKS, the one
// algorithm that Entra takes from a federated issuer.
func pki(args []string) error {
	withServiceAccount := len(args) > 0 && args[0] == "--service-account"
	if withServiceAccount {
		args = args[1:]
	}
	if len(args) < 1 {
		return fmt.Errorf("usage: tools pki [--service-account] DIR [DNS NAME...]")
	}
	dir, names := args[0], args[1:]
	if err := serving(dir, names); err != nil {
		return err
	}
	if !withServiceAccount {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	if err := writePEM(dir, "sa.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)); err != nil {
		return err
	}
	return writePEM(dir, "sa.pub", "PUBLIC KEY", public)
}

func serving(dir string, names []string) error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := certificate("kubectl-connect test CA")
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := sign(dir, "ca.crt", ca, ca, caKey.Public(), caKey); err != nil {
		return err
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	leaf := certificate("127.0.0.1")
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	leaf.DNSNames = append([]string{"localhost"}, names...)
	if err := sign(dir, "tls.crt", leaf, ca, key.Public(), caKey); err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(dir, "tls.key", "PRIVATE KEY", encoded)
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1).Lsh(big.NewInt(1), 120)) // never fails with the system's source
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(certificateLife),
	}
}

func sign(dir, file string, subject, issuer *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) error {
	der, err := x509.CreateCertificate(rand.Reader, subject, issuer, public, signer)
	if err != nil {
		return err
	}
	return writePEM(dir, file, "CERTIFICATE", der)
}

func writePEM(dir, file, kind string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	return os.WriteFile(filepath.Join(dir, file), text, 0o600)
}
