//! The macros for the parts of generated stubs that are the same for every service.

/// Implements what every generated client has: construction, the way to its other forms, and `Deref` to the runtime's
/// [`Client`](crate::Client).
#[doc(hidden)]
#[macro_export]
macro_rules! client {
    ($client:ident, $service:ident, $blocking:ident $(, $retrying:ident)?) => {
        impl<T: $crate::ClientTransport, U> $client<T, U> {
            /// A client over a connected transport.
            pub fn over(transport: T, config: &$crate::ClientConfig) -> Self
            where
                T: $crate::ClientTransport<Service = $service>,
            {
                Self($crate::Client::over(transport, config))
            }

            /// Connects to the server at `address`.
            ///
            /// # Errors
            /// Nobody serves there, or a server of another definition, or one that admits no more clients.
            pub fn connect(address: &str) -> ::core::result::Result<Self, $crate::AttachError>
            where
                T: $crate::Connect<Service = $service>,
            {
                Self::connect_with(address, &::core::default::Default::default())
            }

            /// Connects to the server at `address` with other settings.
            ///
            /// # Errors
            /// As `connect`, and for settings that are not possible.
            pub fn connect_with(
                address: &str,
                config: &$crate::ClientConfig,
            ) -> ::core::result::Result<Self, $crate::AttachError>
            where
                T: $crate::Connect<Service = $service>,
            {
                ::core::result::Result::map($crate::Client::connect(address, config), Self)
            }

            /// The same calls, each waiting for its reply.
            pub fn blocking(&mut self) -> $blocking<'_, T, U> {
                $blocking(self.0.blocking())
            }

            $(
                /// The idempotent calls, repeated when they time out or are aborted.
                pub fn retrying(&mut self, retry: $crate::Retry) -> $retrying<'_, T, U> {
                    $retrying(self.0.retrying(retry))
                }
            )?

            /// Gives the next call another deadline than its method's or the configuration's.
            pub fn within(&mut self, deadline: ::core::time::Duration) -> &mut Self {
                self.0.within(deadline);
                self
            }

            /// Ends every call in flight: each `U` is handed back with `Disconnected`, or with its reply if that has arrived.
            pub fn close(self, deliver: impl ::core::ops::FnMut(U, <$service as $crate::Service>::Reply<'_>)) {
                self.0.close(deliver);
            }
        }

        impl<T: $crate::ClientTransport, U> ::core::ops::Deref for $client<T, U> {
            type Target = $crate::Client<$service, T, U>;
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<T: $crate::ClientTransport, U> ::core::ops::DerefMut for $client<T, U> {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }

        impl<T: $crate::ClientTransport, U> $blocking<'_, T, U> {
            /// Gives the next call another deadline than its method's or the configuration's.
            pub fn within(&mut self, deadline: ::core::time::Duration) -> &mut Self {
                self.0.within(deadline);
                self
            }
        }
    };
}

/// Implements what every generated server has: construction, the loops, and `Deref` to the runtime's
/// [`Server`](crate::Server).
#[doc(hidden)]
#[macro_export]
macro_rules! server {
    ($server:ident, $service:ident, $handler:ident, $dispatch:ident) => {
        impl<T: $crate::ServerTransport> $server<T> {
            /// A server over a transport.
            pub fn over(transport: T, config: &$crate::ServerConfig) -> Self
            where
                T: $crate::ServerTransport<Service = $service>,
            {
                Self($crate::Server::over(transport, config))
            }

            /// Serves at `address`.
            ///
            /// # Errors
            /// The name is in use, or the operating system refused.
            pub fn bind(address: &str) -> ::core::result::Result<Self, $crate::AttachError>
            where
                T: $crate::Bind<Service = $service>,
            {
                Self::bind_with(address, &::core::default::Default::default())
            }

            /// Serves at `address` with other settings.
            ///
            /// # Errors
            /// As `bind`, and for settings that are not possible.
            pub fn bind_with(
                address: &str,
                config: &$crate::ServerConfig,
            ) -> ::core::result::Result<Self, $crate::AttachError>
            where
                T: $crate::Bind<Service = $service>,
            {
                ::core::result::Result::map($crate::Server::bind(address, config), Self)
            }

            /// Serves until every client is gone and none can connect any more, or the server is told to stop. Spins while there is
            /// work and for a while after, then sleeps.
            ///
            /// A panic of the handler aborts its request, reaches the caller, and leaves the server fit to serve on.
            pub fn serve<H: $handler + ?::core::marker::Sized>(&mut self, handler: &mut H) {
                loop {
                    let mut batch = self.0.batch();
                    loop {
                        match batch.recv() {
                            ::core::result::Result::Ok(::core::option::Option::Some(request)) => {
                                $dispatch(handler, request)
                            }
                            ::core::result::Result::Ok(::core::option::Option::None) => break,
                            ::core::result::Result::Err(_) => return,
                        }
                    }
                    ::core::mem::drop(batch);
                    // However it ends, `recv` says what comes next.
                    let _ = self.0.wait(::core::time::Duration::MAX);
                }
            }

            /// Serves what has arrived, at most `limit` requests, and returns how many. Never blocks.
            ///
            /// # Errors
            /// [`WaitError::Disconnected`]($crate::WaitError::Disconnected) when every client is gone and none can connect any more, or the
            /// server was told to stop.
            #[inline]
            pub fn poll<H: $handler + ?::core::marker::Sized>(
                &mut self,
                handler: &mut H,
                limit: usize,
            ) -> ::core::result::Result<usize, $crate::WaitError> {
                let mut served = 0;
                let mut batch = self.0.batch();
                while served < limit {
                    match batch.recv() {
                        ::core::result::Result::Ok(::core::option::Option::Some(request)) => {
                            $dispatch(handler, request)
                        }
                        ::core::result::Result::Ok(::core::option::Option::None) => break,
                        ::core::result::Result::Err(error) if served == 0 => {
                            return ::core::result::Result::Err(error);
                        }
                        ::core::result::Result::Err(_) => break,
                    }
                    served += 1;
                }
                ::core::result::Result::Ok(served)
            }
        }

        impl<T: $crate::ServerTransport> ::core::ops::Deref for $server<T> {
            type Target = $crate::Server<$service, T>;
            fn deref(&self) -> &Self::Target {
                &self.0
            }
        }

        impl<T: $crate::ServerTransport> ::core::ops::DerefMut for $server<T> {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.0
            }
        }
    };
}
