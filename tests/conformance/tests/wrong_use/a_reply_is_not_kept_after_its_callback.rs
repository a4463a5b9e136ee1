use conformance::probe::probe::{Reply, inproc::Client};

fn keep(client: &mut Client<u64>) {
    let mut kept = None;
    let _ = client.poll(|_, reply| {
        if let Reply::Mirror(Ok(blob)) = reply {
            kept = Some(blob);
        }
    });
    println!("{}", kept.is_some());
}

fn main() {}
