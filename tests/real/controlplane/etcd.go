package main

import (
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	etcd "go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/server/v3/embed"
)

// startLimit is how long one member may take to elect itself; on a busy machine an election was seen to take seconds.
const startLimit = 60 * time.Second

// runEtcd runs a single throw-away member. It takes only those of etcd's flags that tests/real/up gives, under etcd's own
// names, so that a stock etcd binary can stand in its place.
func runEtcd() int {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "", "folder for the data")
	client := flags.String("listen-client-urls", "http://127.0.0.1:2379", "where clients are served")
	flags.String("advertise-client-urls", "", "taken for likeness with etcd; always the listen URL")
	peer := flags.String("listen-peer-urls", "http://127.0.0.1:0", "where peers would be served")
	noFsync := flags.Bool("unsafe-no-fsync", false, "do not wait for the disk: the data need not survive the machine")
	level := flags.String("log-level", "warn", "debug, info, warn or error")
	version := flags.Bool("version", false, "print the version")
	_ = flags.Parse(os.Args[1:])
	if *version {
		fmt.Printf("etcd Version: %s\n", etcd.Version)
		return 0
	}
	if err := serveEtcd(*dir, *client, *peer, *level, *noFsync); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	return 0
}

func serveEtcd(dir, client, peer, level string, noFsync bool) error {
	clientURL, err := url.Parse(client)
	if err != nil {
		return err
	}
	peerURL, err := url.Parse(peer)
	if err != nil {
		return err
	}
	config := embed.NewConfig()
	config.Dir = dir
	config.LogLevel = level
	config.UnsafeNoFsync = noFsync
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration // else every request is a slow one
	config.ListenClientUrls = []url.URL{*clientURL}
	config.AdvertiseClientUrls = []url.URL{*clientURL}
	config.ListenPeerUrls = []url.URL{*peerURL}
	config.AdvertisePeerUrls = []url.URL{*peerURL}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	member, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	defer member.Close()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-member.Server.ReadyNotify():
	case err := <-member.Err():
		return err
	case <-time.After(startLimit):
		return fmt.Errorf("not ready after %s", startLimit)
	}
	select {
	case <-stop:
		return nil
	case err := <-member.Err():
		return err
	}
}
