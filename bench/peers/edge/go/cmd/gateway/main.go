// Command gateway is grpc-gateway in front of the bench's backend, as its own documentation puts it together.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"time"

	transferv1 "ferry.bench/edge/gen"
	"ferry.bench/edge/tokens"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

func main() {
	runtime.DefaultContextTimeout = 5 * time.Second
	mux := runtime.NewServeMux(runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD {
		return metadata.Pairs("x-subject", r.Header.Get("X-Subject"))
	}))
	client, err := grpc.NewClient(os.Getenv("BACKEND"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	if err := transferv1.RegisterTransferServiceHandler(context.Background(), mux, client); err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), tokens.Require(mux)))
}
