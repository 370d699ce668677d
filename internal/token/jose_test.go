package token

import (
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// corpora is the folder with test data of others: named by TRUXE_CORPORA, else beside the repository; "" when absent.
func corpora(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("TRUXE_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Log("no folder of corpora (TRUXE_CORPORA): running on the committed cases only")
		return ""
	}
	return dir
}

var compact = regexp.MustCompile(`^[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*){2,4}$`)

// tokensIn finds every string that is a token in compact form, and every JSON serialisation, in a document.
func tokensIn(v any, found []string) []string {
	switch v := v.(type) {
	case string:
		if compact.MatchString(v) {
			found = append(found, v)
		}
	case []any:
		for _, one := range v {
			found = tokensIn(one, found)
		}
	case map[string]any:
		_, signed := v["signature"]
		_, many := v["signatures"]
		_, encrypted := v["ciphertext"]
		if signed || many || encrypted {
			found = append(found, mustJSON(v))
		}
		for _, one := range v {
			found = tokensIn(one, found)
		}
	}
	return found
}

// JW-18 JW-04: the published tokens of RFC 7515, 7519, 7520, 7797 and 8037 are no access tokens: other algorithms,
// other keys, detached, unencoded, nested, encrypted, JSON forms. The RS256 one verifies as a signature.
func TestPublishedTokensAreRefused(t *testing.T) {
	r := newRig(t)
	files := []string{filepath.Join("testdata", "rfc7515_7519.json")}
	dir := corpora(t)
	if dir != "" {
		more, err := filepath.Glob(filepath.Join(dir, "rfc7520", "*.json"))
		if err != nil || len(more) < 15 {
			t.Fatalf("rfc7520: %v, %d files", err, len(more))
		}
		files = append(files, more...)
	}
	tried := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(file, err)
		}
		for _, token := range tokensIn(doc, nil) {
			tried++
			r.refused(filepath.Base(file), token)
		}
	}
	if tried < len(files)/2 {
		t.Errorf("only %d tokens in %d files", tried, len(files))
	}
	if dir != "" {
		verifyRFC7520(t, dir)
	}
}

func verifyRFC7520(t *testing.T, dir string) {
	var vector struct {
		Input  struct{ Key map[string]any }
		Output struct{ Compact string }
	}
	raw, err := os.ReadFile(filepath.Join(dir, "rfc7520", "jws_4_1.rsa_v15_signature.json"))
	if err != nil || json.Unmarshal(raw, &vector) != nil {
		t.Fatal(err)
	}
	key, err := readRSA(vector.Input.Key)
	if err != nil {
		t.Fatal(err)
	}
	check := func(token string) error {
		at := strings.LastIndex(token, ".")
		sig, err := strictBase64.DecodeString(token[at+1:])
		if err != nil {
			return err
		}
		return jwt.SigningMethodRS256.Verify(token[:at], sig, key)
	}
	if err := check(vector.Output.Compact); err != nil {
		t.Error("the RS256 vector is refused:", err)
	}
	if check("f"+vector.Output.Compact[1:]) == nil {
		t.Error("a changed RS256 vector is accepted")
	}
}

// JW-18: RFC 7515 A.2, the RS256 example: its key verifies its signature, and only that.
func TestRS256ExampleOfRFC7515(t *testing.T) {
	n, _ := strictBase64.DecodeString("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ")
	key := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	const input = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	sig, _ := strictBase64.DecodeString("cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw")
	if err := jwt.SigningMethodRS256.Verify(input, sig, key); err != nil {
		t.Error(err)
	}
	sig[0] ^= 1
	if jwt.SigningMethodRS256.Verify(input, sig, key) == nil {
		t.Error("a changed signature verifies")
	}
}
