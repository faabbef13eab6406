// Command vanguard is connectrpc's Vanguard as a proxy in front of the bench's backend.
package main

import (
	"context"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"connectrpc.com/vanguard"
	transferv1 "ferry.bench/edge/gen"
	"ferry.bench/edge/tokens"
	"golang.org/x/net/http2"
)

func main() {
	backend, err := url.Parse("http://" + os.Getenv("BACKEND"))
	if err != nil {
		log.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(backend)
	proxy.FlushInterval = -1
	proxy.Transport = &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, network, address string, _ *tls.Config) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	service := vanguard.NewServiceWithSchema(
		transferv1.File_bench_transfer_v1_transfer_proto.Services().ByName("TransferService"),
		proxy,
		vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
		vanguard.WithTargetCodecs(vanguard.CodecProto),
	)
	transcoder, err := vanguard.NewTranscoder([]*vanguard.Service{service})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), tokens.Require(transcoder)))
}
