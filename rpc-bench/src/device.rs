//! What is measured between two processes over an RDMA device, if there is one.

use crate::figure::Figure;
use crate::host::Host;
use crate::plan::RDMA;
use crate::subjects::waiting::OverDevice;
use crate::{Options, life, machine, many, together, traffic};

/// What there is to measure over a device, beside the comparisons of slices.
const WORKLOADS: [&str; 6] = ["B1", "B2", "B3", "B6", "B9", "B10"];

/// Where the device is: as the options say, or the first one. `None` if there is none, or it is not asked for; whoever has asked for it is
/// told why.
pub(crate) fn find(options: &Options) -> Result<Option<Host>, String> {
    if !options.wants_backend(RDMA) || !WORKLOADS.iter().any(|name| options.wants(name)) {
        return Ok(None);
    }
    if let Some(address) = &options.address {
        return Host::of(address).map(Some);
    }
    match Host::first() {
        Ok(host) => Ok(Some(host)),
        Err(why) => {
            if options.backend.is_some() {
                say!("nothing is measured over a device: {why}");
            }
            Ok(None)
        }
    }
}

/// What is no comparison of slices.
pub(crate) fn run(options: &Options, host: &Host, mut tell: impl FnMut(Figure)) {
    let (quick, device) = (options.quick, OverDevice(host.clone()));
    let core = machine::cores_before_pinning().get(1).copied();
    for workload in WORKLOADS {
        if !options.wants(workload) {
            continue;
        }
        let done = match workload {
            "B3" => many::run_device(quick, &device, core, &mut tell),
            "B6" => together::device(quick, host, &mut tell),
            "B9" => life::run(&device, 200, core).map(&mut tell),
            "B10" => traffic::run(&device, core, &mut tell),
            _ => Ok(()),
        };
        if let Err(why) = done {
            say!("{workload:<3} {RDMA:<6} could not be measured: {why}");
        }
    }
}
