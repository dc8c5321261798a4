// Command controlplane is the part of a Kubernetes cluster that decides what a request means: etcd, kube-apiserver and
// kube-controller-manager, and the kubectl that belongs to them, in one binary.
//
// One binary because the four share most of their code: it links once and caches once. Each component still runs in a
// process of its own, since signal handling and the feature gates exist once per process. Which one to be is read from
// the name the binary was started by (`kube-apiserver`, `kube-controller-manager`, `etcd`, `kubectl`: links beside it,
// the layout that KUBEBUILDER_ASSETS has) or else from the first word.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // what the stock mains register
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

var components = map[string]func() int{
	"apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"etcd":               runEtcd,
	"kubectl":            runKubectl,
}

func main() {
	name := strings.TrimPrefix(filepath.Base(os.Args[0]), "kube-")
	if _, known := components[name]; !known && len(os.Args) > 1 {
		// The components read os.Args themselves, so the word that chose one must not be there any more.
		name = os.Args[1]
		os.Args = append([]string{name}, os.Args[2:]...)
	}
	run, known := components[name]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: controlplane apiserver|controller-manager|etcd|kubectl FLAGS")
		os.Exit(2)
	}
	os.Exit(run())
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err) // prints in kubectl's words and exits
	}
	return 0
}
