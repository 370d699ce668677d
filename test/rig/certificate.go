package rig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CertificateFiles is a certificate that is its own authority.
type CertificateFiles struct {
	Cert, Key string         // files in PEM
	Both      string         // file with both
	Roots     *x509.CertPool // trusts it
}

// Certificate creates a certificate for a host, valid for an hour.
func Certificate(t testing.TB, host string) CertificateFiles {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, "generate a key", err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host},
		DNSNames:  []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, "create a certificate", err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, "encode a key", err)
	dir := t.TempDir()
	c := CertificateFiles{Cert: filepath.Join(dir, "app.crt"), Key: filepath.Join(dir, "app.key"),
		Both: filepath.Join(dir, "app.pem"), Roots: x509.NewCertPool()}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	for file, text := range map[string]string{c.Cert: string(certPEM), c.Key: string(keyPEM),
		c.Both: string(certPEM) + string(keyPEM)} {
		must(t, "write a certificate", os.WriteFile(file, []byte(text), 0o600))
	}
	c.Roots.AppendCertsFromPEM(certPEM)
	return c
}
