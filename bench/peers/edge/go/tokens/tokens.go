// Package tokens verifies bearer tokens in front of both Go edges: ES256 by golang-jwt, each token anew, or with
// KEEP_TOKENS=1 once, and out of a bounded map after that.
package tokens

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const maxKept = 10_000

type kept struct {
	subject string
	expires time.Time
}

// Require lets only requests with a good token through, and tells their subject in X-Subject.
func Require(next http.Handler) http.Handler {
	pem, err := os.ReadFile(os.Getenv("PUBLIC_KEY_FILE"))
	if err != nil {
		panic(err)
	}
	key, err := jwt.ParseECPublicKeyFromPEM(pem)
	if err != nil {
		panic(err)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer(os.Getenv("ISSUER")),
		jwt.WithAudience(os.Getenv("AUDIENCE")),
		jwt.WithExpirationRequired(),
	)
	keyOf := func(*jwt.Token) (any, error) { return key, nil }
	keep := os.Getenv("KEEP_TOKENS") == "1"
	var lock sync.RWMutex
	known := map[string]kept{}

	subjectOf := func(token string) (string, bool) {
		if keep {
			lock.RLock()
			found, ok := known[token]
			lock.RUnlock()
			if ok {
				return found.subject, time.Now().Before(found.expires)
			}
		}
		var claims jwt.RegisteredClaims
		if _, err := parser.ParseWithClaims(token, &claims, keyOf); err != nil {
			return "", false
		}
		if keep {
			lock.Lock()
			if len(known) < maxKept {
				known[token] = kept{claims.Subject, claims.ExpiresAt.Time}
			}
			lock.Unlock()
		}
		return claims.Subject, true
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		subject := ""
		if ok {
			subject, ok = subjectOf(token)
		}
		if !ok {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"code":16,"message":"unauthenticated"}`))
			return
		}
		r.Header.Set("X-Subject", subject)
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}
