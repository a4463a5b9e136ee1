use conformance::probe::probe::{Request, inproc::Server};

fn answer(server: &mut Server) {
    if let Ok(Some(Request::Echo(call))) = server.recv() {
        let _ = call.reply(1);
        let _ = call.reply(2);
    }
}

fn main() {}
