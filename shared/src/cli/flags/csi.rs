//! Flags for Key Vault only: which of its objects the workload gets as files, and how.

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::catalogue::{self, Service};
use crate::model::request::Csi;
use crate::model::vault::{CsiIdentity, ObjectKind, VaultObject};
use crate::model::{Auth, Kind, Problem, Result};

const FLAGS: [(&str, ObjectKind, &str); 3] = [
    ("secret", ObjectKind::Secret, "Mount this secret; =ENV also sets a variable to it (repeatable)"),
    ("key", ObjectKind::Key, "Mount the public part of this key (repeatable)"),
    ("cert", ObjectKind::Cert, "Mount this certificate; its private key is in the secret of the same name (repeatable)"),
];
const PATH: &str = "mount-path";
const IDENTITY: &str = "csi-identity";

/// Adds the flags if the service has objects that can be mounted.
pub fn with_objects(command: Command, service: &Service) -> Command {
    if !service.auths.contains(&Auth::Csi) {
        return command;
    }
    let heading = "Files from the vault (--auth csi)";
    let command = FLAGS.iter().fold(command, |command, (flag, _, help)| {
        let arg = Arg::new(*flag).long(*flag).value_name("NAME[/VERSION][:FILE][=ENV]").action(ArgAction::Append);
        command.arg(arg.help(*help).help_heading(heading))
    });
    let place = format!("Where the files are [default: {}]", crate::engine::MOUNT_PATH);
    let place = Arg::new(PATH).long(PATH).value_name("PATH").help(place).help_heading(heading);
    let identity = Arg::new(IDENTITY).long(IDENTITY).value_name("WHO").help_heading(heading);
    let identity = identity.help("Identity that the CSI driver reads the vault with: workload, addon, vm:CLIENT-ID [default: workload]");
    command.arg(place).arg(identity)
}

/// Values of these flags.
///
/// # Errors
/// The first invalid value.
pub fn csi(service: &str, matches: &ArgMatches) -> Result<Csi> {
    if !catalogue::find(service).is_some_and(|s| s.auths.contains(&Auth::Csi)) {
        return Ok(Csi::default());
    }
    let mut objects = Vec::new();
    for (flag, kind, _) in FLAGS {
        for text in matches.get_many::<String>(flag).into_iter().flatten() {
            objects.push(VaultObject::parse(kind, text).map_err(|fault| {
                Problem::new(Kind::Usage, "KC1619", format!("--{flag} `{text}` can't be used: it {fault}"))
                    .fix(format!("use --{flag} NAME, or --{flag} NAME/VERSION:FILE=ENV with the parts that you need"))
            })?);
        }
    }
    let identity = matches.get_one::<String>(IDENTITY).map(|text| {
        CsiIdentity::parse(text).map_err(|fault| {
            Problem::new(Kind::Usage, "KC1624", format!("--csi-identity `{text}` can't be used: it {fault}"))
                .fix("use --csi-identity workload, addon or vm:CLIENT-ID")
        })
    });
    Ok(Csi { objects, mount_path: matches.get_one::<String>(PATH).cloned(), identity: identity.transpose()? })
}
