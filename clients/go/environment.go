package batchgate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

const defaultAddress = "127.0.0.1:50051"

// FromEnvironment makes a client from these variables, of which an empty one counts as unset; options
// override them:
//
//   - BATCHGATE_ADDRESS, "127.0.0.1:50051" by default
//   - BATCHGATE_TOKEN, or BATCHGATE_TOKEN_FILE with the path of a file that holds it
//   - BATCHGATE_PROVIDER
//   - BATCHGATE_TLS: 1, true or on for TLS, 0, false or off for plaintext
//   - BATCHGATE_TLS_CA, BATCHGATE_TLS_CERT and BATCHGATE_TLS_KEY: paths of PEM files, which turn TLS on
//
// Anything else in BATCHGATE_TLS is an error, and so is off beside one of the files.
func FromEnvironment(options ...Option) (*Client, error) {
	address := os.Getenv("BATCHGATE_ADDRESS")
	if address == "" {
		address = defaultAddress
	}
	token, err := tokenFromEnvironment()
	if err != nil {
		return nil, err
	}
	given := []Option{WithToken(token), WithProvider(os.Getenv("BATCHGATE_PROVIDER"))}
	config, err := tlsFromEnvironment()
	if err != nil {
		return nil, err
	}
	if config != nil {
		given = append(given, WithTLS(config))
	}
	return New(address, append(given, options...)...)
}

func tokenFromEnvironment() (string, error) {
	path := os.Getenv("BATCHGATE_TOKEN_FILE")
	if token := os.Getenv("BATCHGATE_TOKEN"); token != "" || path == "" {
		return token, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("batchgate: BATCHGATE_TOKEN_FILE: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func tlsFromEnvironment() (*tls.Config, error) {
	ca, cert, key := os.Getenv("BATCHGATE_TLS_CA"), os.Getenv("BATCHGATE_TLS_CERT"), os.Getenv("BATCHGATE_TLS_KEY")
	files := ca != "" || cert != "" || key != ""
	switch given := os.Getenv("BATCHGATE_TLS"); strings.ToLower(given) {
	case "0", "false", "off":
		// Plaintext by mistake would show the token.
		if files {
			return nil, fmt.Errorf("batchgate: BATCHGATE_TLS is off, and a file of BATCHGATE_TLS_* asks for TLS: unset one of them")
		}
		return nil, nil
	case "":
		if !files {
			return nil, nil
		}
	case "1", "true", "on":
	default:
		return nil, fmt.Errorf("batchgate: BATCHGATE_TLS is %q: give 1, true or on, or 0, false or off", given)
	}
	config := &tls.Config{}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("batchgate: BATCHGATE_TLS_CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("batchgate: BATCHGATE_TLS_CA: %s holds no certificate", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, fmt.Errorf("batchgate: BATCHGATE_TLS_CERT and BATCHGATE_TLS_KEY go together: give both, or neither")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("batchgate: BATCHGATE_TLS_CERT, BATCHGATE_TLS_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
