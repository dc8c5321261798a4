// Named as the module it stands in for, because a replacement must carry the name that is asked for.
module monis.app/mlog

go 1.26.0

require github.com/go-logr/logr v1.4.3
