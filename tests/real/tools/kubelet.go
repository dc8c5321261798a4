package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// pod is what the stand-in for the kubelet reads of one.
type pod struct {
	Metadata struct {
		Name, Namespace   string
		DeletionTimestamp string
	}
	Spec struct {
		RestartPolicy string
		Containers    []struct{ Name, Image string }
	}
	Status struct{ Phase string }
}

// kubelet says of every pending pod that it runs and is ready, so that rollouts finish where there are no nodes. A pod
// that is to end by itself (of a Job) is said to have ended well. Nothing is started: containers exist only as status.
func kubelet(args []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ExitOnError)
	server := flags.String("server", "", "API server")
	ca := flags.String("ca", "", "file with its CA")
	tokenFile := flags.String("token-file", "", "file with a token that may patch the status of pods")
	_ = flags.Parse(args)
	token, err := os.ReadFile(*tokenFile)
	if err != nil {
		return err
	}
	api, err := newEndpoint(*server, *ca, string(bytes.TrimSpace(token)))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	for ctx.Err() == nil {
		// The server ends every watch after a while, and a new one begins with what is pending: no state to keep.
		if err := watch(ctx, api); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "kubelet:", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}

func watch(ctx context.Context, api *endpoint) error {
	body, err := api.do(ctx, "GET", "/api/v1/pods?watch=true&fieldSelector=status.phase%3DPending", "", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	events := json.NewDecoder(body)
	for {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := events.Decode(&event); err != nil {
			return nil // the watch ended
		}
		if event.Type == "ERROR" {
			return fmt.Errorf("watch: %s", event.Object)
		}
		var seen pod
		if err := json.Unmarshal(event.Object, &seen); err != nil {
			return err
		}
		if event.Type == "DELETED" || seen.Metadata.DeletionTimestamp != "" || seen.Status.Phase != "Pending" {
			continue
		}
		if err := start(ctx, api, seen); err != nil {
			fmt.Fprintln(os.Stderr, "kubelet:", err) // the pod went meanwhile, or its next event tries again
		}
	}
}

func start(ctx context.Context, api *endpoint, of pod) error {
	status, err := json.Marshal(map[string]any{"status": running(of, time.Now().UTC().Format(time.RFC3339))})
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s/status", of.Metadata.Namespace, of.Metadata.Name)
	body, err := api.do(ctx, "PATCH", path, "application/strategic-merge-patch+json", bytes.NewReader(status))
	if err != nil {
		return err
	}
	return body.Close()
}

func running(of pod, now string) map[string]any {
	phase, ready := "Running", "True"
	state := map[string]any{"running": map[string]any{"startedAt": now}}
	if of.Spec.RestartPolicy != "Always" {
		phase, ready = "Succeeded", "False"
		state = map[string]any{"terminated": map[string]any{
			"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now,
		}}
	}
	var containers []map[string]any
	for _, container := range of.Spec.Containers {
		containers = append(containers, map[string]any{
			"name": container.Name, "image": container.Image, "imageID": "", "ready": ready == "True",
			"restartCount": 0, "state": state,
		})
	}
	var conditions []map[string]any
	for _, kind := range []string{"Initialized", "PodScheduled", "ContainersReady", "Ready"} {
		value := "True"
		if kind == "ContainersReady" || kind == "Ready" {
			value = ready
		}
		conditions = append(conditions, map[string]any{"type": kind, "status": value, "lastTransitionTime": now})
	}
	return map[string]any{
		"phase": phase, "startTime": now, "conditions": conditions, "containerStatuses": containers,
	}
}
