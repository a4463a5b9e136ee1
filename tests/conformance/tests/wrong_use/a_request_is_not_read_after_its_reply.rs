use conformance::probe::probe::{Request, inproc::Server};

fn answer(server: &mut Server) {
    if let Ok(Some(Request::Mirror(call))) = server.recv() {
        let blob = call.data();
        let _ = call.reply(conformance::probe::Blob::default());
        println!("{}", blob.blob.words[0]);
    }
}

fn main() {}
